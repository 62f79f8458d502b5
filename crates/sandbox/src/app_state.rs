//! Namespace `w:sync:app:state`: what an account's devices agree on (archived chats, pins, names of contacts, …), as
//! patches which only they can read. The network keeps them in the order of their versions, with their MACs as
//! they are, and takes a patch only when it is based on the newest version.

use buffa::{Message as _, MessageField};
use rand::RngExt;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;

use crate::error::Failure;
use crate::live::Address;
use crate::phones::{self, Form, Phone};
use crate::stanza::{self, Read, iq_error, iq_result};
use crate::store::Query;
use crate::turn::Turn;
use crate::{deliver, limits};

const COLLECTIONS: [&str; 5] =
    ["critical_block", "critical_unblock_low", "regular_high", "regular_low", "regular"];

/// The key under which the account's devices write patches; the phone shares it with each of them.
pub(crate) fn key(turn: &mut Turn<'_>, phone: &Phone) -> Result<[u8; 32], Failure> {
    let sql = "SELECT app_state_key FROM phone WHERE id = ? AND app_state_key IS NOT NULL";
    if let Some(stored) = turn.db.one(sql, [phone.id], |row| row.get::<_, [u8; 32]>(0))? {
        return Ok(stored);
    }
    let key: [u8; 32] = turn.generator(phone.network)?.random();
    turn.db.run("UPDATE phone SET app_state_key = ? WHERE id = ?", (key.as_slice(), phone.id))?;
    Ok(key)
}

/// For each collection: takes the patch that comes with it, and gives those that the device has not seen.
pub(crate) fn handle(turn: &mut Turn<'_>, from: Address, id: &str, node: &Node) -> Result<Node, Failure> {
    let Some(phone) = phones::by_id(turn, from.phone)? else {
        return Ok(iq_error(id, 401, "not-authorized"));
    };
    let asked = node.child("sync").into_iter().flat_map(|sync| sync.get_children_by_tag("collection"));
    let mut answers = Vec::new();
    for collection in asked.take(COLLECTIONS.len()) {
        answers.push(sync(turn, &phone, from, collection)?);
    }
    Ok(iq_result(id, vec![NodeBuilder::new("sync").children(answers).build()]))
}

fn sync(turn: &mut Turn<'_>, phone: &Phone, from: Address, asked: &Node) -> Result<Node, Failure> {
    let said = asked.text("name").unwrap_or_default();
    let Some(name) = COLLECTIONS.iter().copied().find(|known| *known == said) else {
        return Ok(refused(&said, 404));
    };
    let seen = asked.text("version").and_then(|version| version.parse::<i64>().ok()).unwrap_or(0);
    let Some(patch) = asked.child_bytes("patch") else { return news(turn, phone, name, seen) };
    let newest = version(turn, phone, name)?;
    if seen != newest {
        // What it has not seen comes along, so that it can try again.
        let mut conflict = news(turn, phone, name, seen)?;
        conflict.attrs.push("type", "error");
        let error = NodeBuilder::new("error").attr("code", "409").attr("text", "conflict").build();
        let patches = conflict.child("patches").cloned();
        conflict.content =
            Some(wacore_binary::NodeContent::Nodes(patches.into_iter().chain([error]).collect()));
        return Ok(conflict);
    }
    let (version, Ok(mut patch)) = (newest + 1, wa::SyncdPatch::decode_from_slice(patch)) else {
        return Ok(refused(name, 400));
    };
    if version > limits::APP_STATE_PATCHES {
        return Ok(refused(name, 406));
    }
    patch.version = MessageField::some(wa::SyncdVersion { version: u64::try_from(version).ok() });
    turn.db.run(
        "INSERT INTO app_state (phone, collection, version, patch) VALUES (?, ?, ?, ?)",
        (phone.id, name, version, patch.encode_to_vec()),
    )?;
    tell(turn, phone, from, name, version)?;
    Ok(NodeBuilder::new("collection").attr("name", name).attr("version", version.to_string()).build())
}

fn refused(name: &str, code: u16) -> Node {
    let error = NodeBuilder::new("error").attr("code", code.to_string()).build();
    NodeBuilder::new("collection")
        .attr("name", name.to_owned())
        .attr("type", "error")
        .children([error])
        .build()
}

fn version(turn: &Turn<'_>, phone: &Phone, name: &str) -> Result<i64, Failure> {
    let sql = "SELECT max(version) FROM app_state WHERE phone = ? AND collection = ?";
    Ok(turn.db.number(sql, (phone.id, name))?)
}

/// Patches after `seen`, a page at a time. There are no snapshots: a new device reads from the beginning.
fn news(turn: &Turn<'_>, phone: &Phone, name: &'static str, seen: i64) -> Result<Node, Failure> {
    let patches = turn.db.all(
        "SELECT patch FROM app_state WHERE phone = ? AND collection = ? AND version > ? ORDER BY version LIMIT ?",
        (phone.id, name, seen, limits::APP_STATE_PAGE + 1),
        |row| row.get::<_, Vec<u8>>(0),
    )?;
    let newest = version(turn, phone, name)?;
    let node = NodeBuilder::new("collection").attr("name", name).attr("version", newest.to_string());
    if patches.is_empty() {
        return Ok(node.build());
    }
    let page = usize::try_from(limits::APP_STATE_PAGE).unwrap_or(usize::MAX);
    let node = if patches.len() > page { node.attr("has_more_patches", "true") } else { node };
    let nodes = patches.into_iter().take(page).map(|patch| NodeBuilder::new("patch").bytes(patch).build());
    Ok(node.children([NodeBuilder::new("patches").children(nodes.collect::<Vec<_>>()).build()]).build())
}

/// The account's other devices fetch what is new.
fn tell(
    turn: &mut Turn<'_>,
    phone: &Phone,
    from: Address,
    name: &'static str,
    version: i64,
) -> Result<(), Failure> {
    let id = turn.stanza_id(phone.network)?;
    let collection =
        NodeBuilder::new("collection").attr("name", name).attr("version", version.to_string()).build();
    let notification = NodeBuilder::new("notification")
        .attr("from", phone.jid(Form::Pn))
        .attr("type", "server_sync")
        .attr("id", id)
        .attr("t", stanza::seconds(turn.now))
        .children([collection])
        .build();
    deliver::to_companions(turn, phone.id, Some(from.device), &notification)
}
