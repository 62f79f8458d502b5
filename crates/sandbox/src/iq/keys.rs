//! Namespace `encrypt`: pools of pre-keys, bundles for others, the digest of what the network holds.

use wacore::iq::prekeys::PreKeyBundleUserNode;
use wacore::prekeys::compute_key_bundle_digest;
use wacore::protocol::ProtocolNode;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::error::Failure;
use crate::live::Address;
use crate::phones;
use crate::stanza::{Read, big_endian, iq_error, iq_result};
use crate::store::Query;
use crate::turn::Turn;
use crate::{devices, limits, signal};

pub(super) fn handle(turn: &mut Turn<'_>, from: Address, id: &str, node: &Node) -> Result<Node, Failure> {
    if node.text("type").as_deref() == Some("set") {
        if let Some(rotate) = node.child("rotate") {
            set_signed_key(turn, from, rotate.child("skey"))?;
        } else {
            upload(turn, from, node)?;
        }
        return Ok(iq_result(id, Vec::new()));
    }
    if let Some(wanted) = node.child("key") {
        return bundles(turn, from, id, wanted);
    }
    if node.child("digest").is_some() {
        return digest(turn, from, id);
    }
    let count = devices::pre_key_count(turn, from)?.to_string();
    Ok(iq_result(id, vec![NodeBuilder::new("count").attr("value", count).build()]))
}

fn upload(turn: &mut Turn<'_>, from: Address, node: &Node) -> Result<(), Failure> {
    let keys = node
        .child("list")
        .into_iter()
        .flat_map(|list| list.get_children_by_tag("key"))
        .take(limits::DEVICE_PRE_KEYS);
    for key in keys {
        let (Some(key_id), Some(value)) = (
            key.child_bytes("id").and_then(big_endian),
            key.child_bytes("value").filter(|value| value.len() == 32),
        ) else {
            return Err(Failure::protocol("a one-time pre-key without id or value"));
        };
        turn.db.run(
            "INSERT OR REPLACE INTO device_pre_key (phone, device, id, key) VALUES (?, ?, ?, ?)",
            (from.phone, from.device, key_id, value),
        )?;
    }
    let surplus = "DELETE FROM device_pre_key WHERE seq IN (SELECT seq FROM device_pre_key WHERE phone = ? AND device = ? ORDER BY seq DESC LIMIT -1 OFFSET ?)";
    turn.db.run(
        surplus,
        (from.phone, from.device, i64::try_from(limits::DEVICE_PRE_KEYS).unwrap_or(i64::MAX)),
    )?;
    turn.db.run("UPDATE device SET told_low = 0 WHERE phone = ? AND id = ?", (from.phone, from.device))?;
    set_signed_key(turn, from, node.child("skey"))
}

fn set_signed_key(turn: &Turn<'_>, from: Address, key: Option<&Node>) -> Result<(), Failure> {
    let Some(key) = key else { return Ok(()) };
    let (Some(key_id), Some(value), Some(signature)) = (
        key.child_bytes("id").and_then(big_endian),
        key.child_bytes("value").filter(|value| value.len() == 32),
        key.child_bytes("signature"),
    ) else {
        return Err(Failure::protocol("a signed pre-key without id, value or signature"));
    };
    turn.db.run(
        "UPDATE device SET signed_id = ?, signed_key = ?, signed_signature = ? WHERE phone = ? AND id = ?",
        (key_id, value, signature, from.phone, from.device),
    )?;
    Ok(())
}

/// One bundle for each device that was asked for, in the form of address in which it was asked.
fn bundles(turn: &mut Turn<'_>, from: Address, id: &str, wanted: &Node) -> Result<Node, Failure> {
    let Some(asking) = phones::by_id(turn, from.phone)? else {
        return Ok(iq_error(id, 401, "not-authorized"));
    };
    let jids: Vec<Jid> = wanted
        .get_children_by_tag("user")
        .filter_map(|user| user.jid("jid"))
        .take(limits::USERS_PER_QUERY)
        .collect();
    let mut users = Vec::with_capacity(jids.len());
    for jid in jids {
        users.push(bundle(turn, asking.network, jid)?);
    }
    Ok(iq_result(id, vec![NodeBuilder::new("list").children(users).build()]))
}

fn bundle(turn: &mut Turn<'_>, network: i64, jid: Jid) -> Result<Node, Failure> {
    let Some(phone) = phones::by_jid(turn, network, &jid)? else { return Ok(unknown(jid)) };
    let (bundle, identity) = if jid.device == 0 {
        (signal::bundle(turn, &phone)?, None)
    } else {
        let Some(device) = devices::load(turn, Address { phone: phone.id, device: jid.device })? else {
            return Ok(unknown(jid));
        };
        (devices::bundle(turn, &phone, &device)?, Some(device.signed_identity))
    };
    Ok(PreKeyBundleUserNode::from_bundle(jid, &bundle, identity).map_err(Failure::protocol)?.into_node())
}

fn unknown(jid: Jid) -> Node {
    let error = NodeBuilder::new("error").attr("code", "404").attr("text", "item-not-found").build();
    NodeBuilder::new("user").attr("jid", jid).children([error]).build()
}

/// The whole key bundle with its SHA-1, by which the client checks that the network holds what it uploaded.
fn digest(turn: &Turn<'_>, from: Address, id: &str) -> Result<Node, Failure> {
    let Some(device) = devices::load(turn, from)? else { return Ok(iq_error(id, 404, "item-not-found")) };
    let pool = turn.db.all(
        "SELECT id, key FROM device_pre_key WHERE phone = ? AND device = ? ORDER BY seq",
        (from.phone, from.device),
        |row| Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?)),
    )?;
    let keys: Vec<&[u8]> = pool.iter().map(|(_, key)| key.as_slice()).collect();
    let hash = compute_key_bundle_digest(
        &device.keys.identity,
        &device.keys.signed_key,
        &device.keys.signed_signature,
        &keys,
    );
    let bytes = |tag, value: &[u8]| NodeBuilder::new(tag).bytes(value.to_vec()).build();
    let key_id = |key_id: u32| bytes("id", &key_id.to_be_bytes()[1..]);
    let signed = [
        key_id(device.keys.signed_id),
        bytes("value", &device.keys.signed_key),
        bytes("signature", &device.keys.signed_signature),
    ];
    let digest = NodeBuilder::new("digest").children([
        bytes("registration", &device.keys.registration_id.to_be_bytes()),
        bytes("type", &[5]),
        bytes("identity", &device.keys.identity),
        NodeBuilder::new("skey").children(signed).build(),
        NodeBuilder::new("list").children(pool.iter().map(|(one_time, _)| key_id(*one_time))).build(),
        bytes("hash", &hash),
    ]);
    Ok(iq_result(id, vec![digest.build()]))
}
