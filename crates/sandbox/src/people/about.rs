//! The text about a person: namespace `status`, and the usync protocol of the same name.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::{blocks, shows, tell};
use crate::error::{Failure, Refusal};
use crate::limits;
use crate::phones::Phone;
use crate::stanza;
use crate::store::Query;
use crate::turn::Turn;

/// Sets it; an empty text deletes it.
pub(crate) fn set(turn: &mut Turn<'_>, phone: &Phone, text: &str) -> Result<(), Failure> {
    if text.chars().count() > limits::ABOUT_CHARS {
        let detail = format!("up to {} characters", limits::ABOUT_CHARS);
        return Err(Refusal::field("/about", detail).into());
    }
    turn.db.run(
        "UPDATE phone SET about = nullif(?, ''), about_at = ? WHERE id = ?",
        (text, turn.now, phone.id),
    )?;
    let change = stanza::words(NodeBuilder::new("set"), text);
    tell(turn, phone, "status", Some(change))
}

/// The text, if there is one.
pub(crate) fn text(turn: &Turn<'_>, phone: i64) -> Result<Option<(String, i64)>, Failure> {
    let sql = "SELECT about, about_at FROM phone WHERE id = ? AND about IS NOT NULL";
    Ok(turn.db.one(sql, [phone], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// `<status>` as `asking` may see it.
pub(crate) fn query(turn: &Turn<'_>, phone: &Phone, asking: i64) -> Result<Node, Failure> {
    let node = NodeBuilder::new("status");
    let hidden = phone.id != asking && (!shows(turn, phone.id, "status")? || blocks(turn, phone.id, asking)?);
    if hidden {
        return Ok(node.attr("code", "401").build());
    }
    Ok(match text(turn, phone.id)? {
        Some((text, at)) => stanza::words(node.attr("t", stanza::seconds(at)), &text),
        None => node.build(),
    })
}
