//! Namespace `privacy`: to whom a person shows what. Here everybody is a contact of everybody, so `contacts`
//! means all.

use std::collections::BTreeMap;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::tell_own;
use crate::error::{Failure, Refusal};
use crate::live::Address;
use crate::phones::{self, Phone};
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
        if let Some(own) = phones::by_id(turn, from.phone)? {
            set(turn, &own, from.device, name, value)?;
        }
    }
    let mut categories = Vec::with_capacity(DEFAULTS.len());
    for (name, _) in DEFAULTS {
        let value = setting(turn, from.phone, name)?;
        categories.push(NodeBuilder::new("category").attr("name", name).attr("value", value).build());
    }
    Ok(iq_result(id, vec![NodeBuilder::new("privacy").children(categories).build()]))
}

/// Changes a setting on one device; the others of the account are told.
fn set(
    turn: &mut Turn<'_>,
    own: &Phone,
    device: u16,
    name: &'static str,
    value: &'static str,
) -> Result<(), Failure> {
    turn.db.run(
        "INSERT INTO privacy (phone, category, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        (own.id, name, value),
    )?;
    let category = NodeBuilder::new("category").attr("name", name).attr("value", value).build();
    tell_own(turn, own, device, NodeBuilder::new("privacy").children([category]).build())
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

/// The categories as the control API names them.
const NAMES: [(&str, &str); 8] = [
    ("last_seen", "last"),
    ("online", "online"),
    ("picture", "profile"),
    ("about", "status"),
    ("read_receipts", "readreceipts"),
    ("groups", "groupadd"),
    ("calls", "calladd"),
    ("messages", "messages"),
];

/// All settings of a phone, as the control API names them.
pub(crate) fn settings(turn: &Turn<'_>, phone: i64) -> Result<BTreeMap<String, String>, Failure> {
    let mut settings = BTreeMap::new();
    for (name, category) in NAMES {
        settings.insert(name.to_owned(), setting(turn, phone, category)?);
    }
    Ok(settings)
}

/// Changes those that are named.
pub(crate) fn change(
    turn: &mut Turn<'_>,
    phone: &Phone,
    settings: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    for (name, value) in settings {
        let category = NAMES.iter().find(|(known, _)| known == name).map(|(_, category)| *category);
        let value = VALUES.iter().find(|known| *known == value).copied();
        let (Some(category), Some(value)) = (category, value) else {
            let names = NAMES.map(|(name, _)| name).join(", ");
            let detail = format!("{names}, each one of {}", VALUES.join(", "));
            return Err(Refusal::field("/privacy", detail).into());
        };
        // The phone itself.
        set(turn, phone, 0, category, value)?;
    }
    Ok(())
}
