//! Namespace `w:sync:app:state`: what an account's devices agree on (archived chats, pins, names of contacts, …), as
//! patches which only they can read. The network keeps the newest of them in the order of their versions, with their MACs
//! as they are, and for each index what was set last. It takes a patch only when it is based on the newest version.

use buffa::{Message as _, MessageField};
use rand::RngExt;
use wacore::download::MediaType;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;
use waproto::whatsapp::syncd_mutation::SyncdOperation;

use crate::error::{Failure, Refusal};
use crate::live::Address;
use crate::phones::{self, Form, Phone};
use crate::stanza::{self, Read, iq_error, iq_result};
use crate::store::Query;
use crate::turn::Turn;
use crate::{deliver, limits, media};

const COLLECTIONS: [&str; 5] =
    ["critical_block", "critical_unblock_low", "regular_high", "regular_low", "regular"];

/// The name of the key that a phone shares; it has one.
pub(crate) const KEY_ID: [u8; 6] = [0, 0, 0, 0, 0, 1];

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
    let from_nothing = asked.text("return_snapshot").as_deref() == Some("true");
    let Some(patch) = asked.child_bytes("patch") else {
        return news(turn, phone, name, seen, from_nothing);
    };
    if seen != version(turn, phone, name)? {
        // What it has not seen comes along, so that it can try again.
        let mut conflict = news(turn, phone, name, seen, false)?;
        conflict.attrs.push("type", "error");
        let error = NodeBuilder::new("error").attr("code", "409").attr("text", "conflict").build();
        let missing = conflict.children().unwrap_or_default().to_vec();
        conflict.content =
            Some(wacore_binary::NodeContent::Nodes(missing.into_iter().chain([error]).collect()));
        return Ok(conflict);
    }
    let Ok(patch) = wa::SyncdPatch::decode_from_slice(patch) else { return Ok(refused(name, 400)) };
    match turn.attempt(|turn| accept(turn, phone, Some(from.device), name, patch)) {
        Ok(version) => Ok(answer(name, version).build()),
        Err(Failure::Refused(refusal)) => Ok(refused(name, refusal.status)),
        Err(other) => Err(other),
    }
}

fn refused(name: &str, code: u16) -> Node {
    let error = NodeBuilder::new("error").attr("code", code.to_string()).build();
    NodeBuilder::new("collection")
        .attr("name", name.to_owned())
        .attr("type", "error")
        .children([error])
        .build()
}

fn answer(name: &'static str, version: i64) -> NodeBuilder {
    NodeBuilder::new("collection").attr("name", name).attr("version", version.to_string())
}

/// The number of the collection's newest patch; 0 when there is none.
pub(crate) fn version(turn: &Turn<'_>, phone: &Phone, name: &str) -> Result<i64, Failure> {
    let sql = "SELECT max(version) FROM app_state WHERE phone = ? AND collection = ?";
    Ok(turn.db.number(sql, (phone.id, name))?)
}

/// The records that are set now, in no order that means anything.
pub(crate) fn records(turn: &Turn<'_>, phone: &Phone, name: &str) -> Result<Vec<wa::SyncdRecord>, Failure> {
    let sql = "SELECT record FROM app_state_record WHERE phone = ? AND collection = ?";
    let rows = turn.db.all(sql, (phone.id, name), |row| row.get::<_, Vec<u8>>(0))?;
    rows.iter().map(|record| wa::SyncdRecord::decode_from_slice(record).map_err(Failure::protocol)).collect()
}

/// Takes a patch that is based on the newest version, keeps what it leaves of the collection, and tells the account's
/// devices except `author`. Gives the new version.
pub(crate) fn accept(
    turn: &mut Turn<'_>,
    phone: &Phone,
    author: Option<u16>,
    name: &'static str,
    mut patch: wa::SyncdPatch,
) -> Result<i64, Failure> {
    let refused = |status, detail| Failure::from(Refusal::new(status, "app_state_refused", detail));
    if patch.external_mutations.is_set() {
        return Err(refused(400, "changes come inside their patch, not as a file"));
    }
    for mutation in &patch.mutations {
        let index = mutation.record.as_option().and_then(|record| record.index.as_option());
        let index = index.and_then(|index| index.blob.as_deref());
        let (Some(index), Some(record)) = (index, mutation.record.as_option()) else {
            return Err(refused(400, "a change without an index"));
        };
        if mutation.operation.is_some_and(|operation| operation == SyncdOperation::REMOVE) {
            let sql = "DELETE FROM app_state_record WHERE phone = ? AND collection = ? AND index_mac = ?";
            turn.db.run(sql, (phone.id, name, index))?;
        } else {
            turn.db.run(
                "INSERT INTO app_state_record (phone, collection, index_mac, record) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET record = excluded.record",
                (phone.id, name, index, record.encode_to_vec()),
            )?;
        }
    }
    let sql = "SELECT count(*) FROM app_state_record WHERE phone = ? AND collection = ?";
    if turn.db.number(sql, (phone.id, name))? > limits::APP_STATE_RECORDS {
        return Err(refused(406, "the collection is full"));
    }
    let version = version(turn, phone, name)? + 1;
    patch.version = MessageField::some(wa::SyncdVersion { version: u64::try_from(version).ok() });
    turn.db.run(
        "INSERT INTO app_state (phone, collection, version, patch) VALUES (?, ?, ?, ?)",
        (phone.id, name, version, patch.encode_to_vec()),
    )?;
    let sql = "DELETE FROM app_state WHERE phone = ? AND collection = ? AND version <= ?";
    turn.db.run(sql, (phone.id, name, version - limits::APP_STATE_PATCHES))?;
    tell(turn, phone, author, name, version)?;
    Ok(version)
}

/// What a device has not seen: the patches after `seen`, a page at a time. A device that begins with nothing gets the
/// collection as it is now when more than a page would follow, and so does one whose patches are gone. Short lists come
/// as patches, as long as they are all there: a snapshot is a file, and not every client here can fetch one.
fn news(
    turn: &mut Turn<'_>,
    phone: &Phone,
    name: &'static str,
    seen: i64,
    from_nothing: bool,
) -> Result<Node, Failure> {
    let newest = version(turn, phone, name)?;
    let missing = newest - seen;
    if missing > limits::APP_STATE_PATCHES || (from_nothing && missing > limits::APP_STATE_PAGE) {
        let reference = NodeBuilder::new("snapshot").bytes(snapshot(turn, phone, name)?.encode_to_vec());
        return Ok(answer(name, newest).children([reference.build()]).build());
    }
    let patches = turn.db.all(
        "SELECT patch FROM app_state WHERE phone = ? AND collection = ? AND version > ? ORDER BY version LIMIT ?",
        (phone.id, name, seen, limits::APP_STATE_PAGE),
        |row| row.get::<_, Vec<u8>>(0),
    )?;
    let node = answer(name, newest);
    if patches.is_empty() {
        return Ok(node.build());
    }
    let node = if missing > limits::APP_STATE_PAGE { node.attr("has_more_patches", "true") } else { node };
    let nodes = patches.into_iter().map(|patch| NodeBuilder::new("patch").bytes(patch).build());
    Ok(node.children([NodeBuilder::new("patches").children(nodes.collect::<Vec<_>>()).build()]).build())
}

/// The whole collection as a file. Its MAC is the newest patch's: whoever wrote that one knew the key.
fn snapshot(turn: &mut Turn<'_>, phone: &Phone, name: &str) -> Result<wa::ExternalBlobReference, Failure> {
    let sql = "SELECT patch FROM app_state WHERE phone = ? AND collection = ? ORDER BY version DESC LIMIT 1";
    let newest = turn.db.one(sql, (phone.id, name), |row| row.get::<_, Vec<u8>>(0))?.unwrap_or_default();
    let newest = wa::SyncdPatch::decode_from_slice(&newest).map_err(Failure::protocol)?;
    let snapshot = wa::SyncdSnapshot {
        version: newest.version,
        records: records(turn, phone, name)?,
        mac: newest.snapshot_mac,
        key_id: newest.key_id,
    };
    let file = media::seal(turn, phone.network, MediaType::AppState, &snapshot.encode_to_vec())?;
    Ok(wa::ExternalBlobReference {
        media_key: Some(file.key),
        direct_path: Some(file.direct_path),
        file_size_bytes: Some(file.size),
        file_sha256: Some(file.hash),
        file_enc_sha256: Some(file.sealed_hash),
        ..Default::default()
    })
}

/// The account's other devices fetch what is new.
fn tell(
    turn: &mut Turn<'_>,
    phone: &Phone,
    author: Option<u16>,
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
    deliver::to_companions(turn, phone.id, author, &notification)
}
