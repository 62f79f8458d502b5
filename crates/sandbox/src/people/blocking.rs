//! Namespace `blocklist`. What a blocked person writes is taken and never delivered, as WhatsApp does it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::tell_own;
use crate::error::Failure;
use crate::limits;
use crate::live::Address;
use crate::phones::{self, Form, Phone};
use crate::stanza::{self, Read, iq_error, iq_result};
use crate::store::Query;
use crate::turn::Turn;

/// Shows the list, or changes it.
pub(crate) fn handle(turn: &mut Turn<'_>, from: Address, id: &str, node: &Node) -> Result<Node, Failure> {
    let Some(own) = phones::by_id(turn, from.phone)? else { return Ok(iq_error(id, 401, "not-authorized")) };
    if node.text("type").as_deref() == Some("set") {
        let Some(item) = node.child("item") else { return Ok(iq_error(id, 400, "bad-request")) };
        let other = match item.jid("jid") {
            Some(jid) => phones::by_jid(turn, own.network, &jid)?.map(|phone| (phone, Form::of(&jid))),
            None => None,
        };
        let Some((other, form)) = other else { return Ok(iq_error(id, 404, "item-not-found")) };
        let before = digest(&list(turn, &own)?)?;
        let block = item.text("action").as_deref() == Some("block");
        let sql = "DELETE FROM block WHERE phone = ? AND blocked = ?";
        turn.db.run(sql, (own.id, other.id))?;
        if block {
            let count = turn.db.number("SELECT count(*) FROM block WHERE phone = ?", [own.id])?;
            if count >= limits::BLOCKED {
                return Ok(iq_error(id, 406, "not-acceptable"));
            }
            turn.db.run(
                "INSERT INTO block (phone, blocked, by_lid, at) VALUES (?, ?, ?, ?)",
                (own.id, other.id, form == Form::Lid, turn.now),
            )?;
        }
        let item = NodeBuilder::new("item")
            .attr("jid", other.jid(form))
            .attr("action", if block { "block" } else { "unblock" })
            .build();
        // The digests tell a device whether it knows the list that was changed.
        let change = NodeBuilder::new("blocklist")
            .attr("dhash", digest(&list(turn, &own)?)?)
            .attr("prev_dhash", before)
            .children([item]);
        tell_own(turn, &own, from.device, change.build())?;
    }
    Ok(iq_result(id, vec![list(turn, &own)?]))
}

fn list(turn: &Turn<'_>, own: &Phone) -> Result<Node, Failure> {
    let rows = turn.db.all(
        "SELECT blocked, by_lid, at FROM block WHERE phone = ? ORDER BY at, blocked",
        [own.id],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, row.get::<_, i64>(2)?)),
    )?;
    let mut items = Vec::with_capacity(rows.len());
    for (blocked, by_lid, at) in rows {
        let Some(phone) = phones::by_id(turn, blocked)? else { continue };
        let jid = phone.jid(if by_lid { Form::Lid } else { Form::Pn });
        items.push(NodeBuilder::new("item").attr("jid", jid).attr("t", stanza::seconds(at)).build());
    }
    Ok(NodeBuilder::new("list").children(items).build())
}

/// Opaque to clients.
fn digest(list: &Node) -> Result<String, Failure> {
    Ok(STANDARD.encode(Sha256::digest(stanza::encode(list)?)))
}

/// Whether the phone's owner blocks the other one.
pub(crate) fn blocks(turn: &Turn<'_>, phone: i64, other: i64) -> Result<bool, Failure> {
    let sql = "SELECT count(*) FROM block WHERE phone = ? AND blocked = ?";
    Ok(turn.db.number(sql, (phone, other))? > 0)
}
