//! Namespace `privacy`: to whom a person shows what. Here everybody is a contact of everybody, so `contacts`
//! means all.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::tell_own;
use crate::error::Failure;
use crate::live::Address;
use crate::phones;
use crate::stanza::{Read, iq_error, iq_result};
use crate::store::Query;
use crate::turn::Turn;

/// What a new account has.
const DEFAULTS: [(&str, &str); 8] = [
    ("last", "all"),
    ("online", "all"),
    ("profile", "all"),
    ("status", "all"),
    ("readreceipts", "all"),
    ("groupadd", "all"),
    ("calladd", "all"),
    ("messages", "all"),
];
const VALUES: [&str; 6] = ["all", "contacts", "contact_blacklist", "none", "match_last_seen", "known"];

/// Shows the settings, or changes one.
pub(crate) fn handle(turn: &mut Turn<'_>, from: Address, id: &str, node: &Node) -> Result<Node, Failure> {
    if node.text("type").as_deref() == Some("set") {
        let category = node.child("privacy").and_then(|privacy| privacy.child("category"));
        let name = category.and_then(|category| category.text("name"));
        let value = category.and_then(|category| category.text("value"));
        let known = DEFAULTS.iter().find(|(known, _)| Some(*known) == name.as_deref());
        let value = VALUES.iter().find(|known| Some(**known) == value.as_deref());
        let (Some((name, _)), Some(value)) = (known, value) else {
            return Ok(iq_error(id, 400, "bad-request"));
        };
        turn.db.run(
            "INSERT INTO privacy (phone, category, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (from.phone, name, value),
        )?;
        if let Some(own) = phones::by_id(turn, from.phone)? {
            let category = NodeBuilder::new("category").attr("name", *name).attr("value", *value).build();
            let change = NodeBuilder::new("privacy").children([category]).build();
            tell_own(turn, &own, from.device, change)?;
        }
    }
    let mut categories = Vec::with_capacity(DEFAULTS.len());
    for (name, _) in DEFAULTS {
        let value = setting(turn, from.phone, name)?;
        categories.push(NodeBuilder::new("category").attr("name", name).attr("value", value).build());
    }
    Ok(iq_result(id, vec![NodeBuilder::new("privacy").children(categories).build()]))
}

fn setting(turn: &Turn<'_>, phone: i64, name: &str) -> Result<String, Failure> {
    let sql = "SELECT value FROM privacy WHERE phone = ? AND category = ?";
    let stored = turn.db.one(sql, (phone, name), |row| row.get::<_, String>(0))?;
    let default = DEFAULTS.iter().find(|(known, _)| *known == name).map_or("all", |(_, value)| *value);
    Ok(stored.unwrap_or_else(|| default.to_owned()))
}

/// Whether others may see it.
pub(crate) fn shows(turn: &Turn<'_>, phone: i64, name: &str) -> Result<bool, Failure> {
    Ok(setting(turn, phone, name)? != "none")
}
