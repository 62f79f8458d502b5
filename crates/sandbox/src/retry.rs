//! Messages that could not be decrypted: a phone asks a device, a device asks a phone.

use buffa::Message as _;
use wacore::iq::prekeys::{OneTimePreKeyNode, SignedPreKeyNode};
use wacore::protocol::ProtocolNode;
use wacore::protocol::retry::{build_retry_keys_node, extract_registration_id_from_node};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use wacore_libsignal::protocol::{IdentityKey, PreKeyBundle, PublicKey};

use crate::error::Failure;
use crate::incoming::Origin;
use crate::live::Address;
use crate::phones::{self, Form, Phone};
use crate::stanza::{self, Read};
use crate::store::Query;
use crate::turn::Turn;
use crate::{deliver, devices, groups, limits, outgoing, signal};

/// The phone asks the device that sent `stanza` to send it again. The keys come with the first request
/// already: without them the device would encrypt with the ratchet that has just failed.
pub(crate) fn ask(
    turn: &mut Turn<'_>,
    phone: &Phone,
    origin: &Origin<'_>,
    stanza: &Node,
    reason: u8,
) -> Result<(), Failure> {
    let times = turn.db.number(
        "INSERT INTO asked (phone, peer, whatsapp_id, times) VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times",
        (phone.id, origin.sender.id, origin.id),
    )?;
    if times >= i64::from(limits::RETRIES) {
        tracing::debug!("a phone gave up on a message that it cannot decrypt");
        return Ok(());
    }
    let bundle = signal::bundle(turn, phone)?;
    let one_time = bundle
        .pre_key_public()
        .map_err(Failure::protocol)?
        .ok_or_else(|| Failure::protocol("a bundle without a one-time key"))?;
    let one_time_id = bundle
        .pre_key_id()
        .map_err(Failure::protocol)?
        .ok_or_else(|| Failure::protocol("a bundle without a one-time key"))?;
    let keys = build_retry_keys_node(
        bundle.identity_key().map_err(Failure::protocol)?.public_key(),
        one_time_id.into(),
        &one_time,
        bundle.signed_pre_key_id().map_err(Failure::protocol)?.into(),
        &bundle.signed_pre_key_public().map_err(Failure::protocol)?,
        bundle.signed_pre_key_signature().map_err(Failure::protocol)?.to_vec(),
        Vec::new(),
    );
    let retry = NodeBuilder::new("retry")
        .attr("v", "1")
        .attr("count", times.to_string())
        .attr("id", origin.id)
        .attr("t", stanza.text("t").unwrap_or_default())
        .attr("error", reason.to_string())
        .build();
    let registration =
        NodeBuilder::new("registration").bytes(phone.registration_id.to_be_bytes().to_vec()).build();
    let receipt = match origin.group {
        Some(group) => groups::receipt_of(group, phone, 0, origin.id),
        None => NodeBuilder::new("receipt").attr("from", phone.jid(origin.form)).attr("id", origin.id),
    };
    let mut receipt = receipt.attr("type", "retry").attr("t", stanza::seconds(turn.now));
    // Among own devices the chat is not the sender.
    if let Some(chat) = stanza.jid("recipient") {
        receipt = receipt.attr("recipient", chat);
    }
    deliver::to_companion(turn, origin.address, receipt.children([retry, registration, keys]).build())
}

/// A device asks the phone for a message that the phone sent: encrypted anew on a fresh ratchet, same id.
pub(crate) fn answer(
    turn: &mut Turn<'_>,
    phone: &Phone,
    asking: Address,
    id: &str,
    form: Form,
    receipt: &Node,
) -> Result<(), Failure> {
    let Some(count) = count(receipt) else { return Ok(()) };
    let found = turn.db.one(
        "SELECT recipient, content FROM sent WHERE phone = ? AND whatsapp_id = ? AND group_chat IS NULL",
        (phone.id, id),
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)),
    )?;
    let Some((recipient, content)) = found else { return Ok(()) };
    if asking.phone != recipient && asking.phone != phone.id {
        return Ok(());
    }
    let Some(to) = phones::by_id(turn, recipient)? else { return Ok(()) };
    let message = waproto::whatsapp::Message::decode_from_slice(&content).map_err(Failure::protocol)?;
    if !begin_anew(turn, phone, asking, receipt)? {
        return Ok(());
    }
    let route = outgoing::Route { from: phone, to: &to, form, automatic: false };
    let stanza = outgoing::copy(turn, route, asking, id, &message, Some(count))?;
    deliver::to_companion(turn, asking, stanza)
}

/// Which time it asks; `None` when it has asked too often.
pub(crate) fn count(receipt: &Node) -> Option<u32> {
    let said = receipt.child("retry").and_then(|retry| retry.text("count"));
    Some(said.and_then(|count| count.parse().ok()).unwrap_or(1)).filter(|count| *count < limits::RETRIES)
}

/// A fresh ratchet with a device that asks again, from the keys that it sends or that the network holds. `false`
/// when there are none.
pub(crate) fn begin_anew(
    turn: &mut Turn<'_>,
    phone: &Phone,
    asking: Address,
    receipt: &Node,
) -> Result<bool, Failure> {
    let bundle = match included(asking.device, receipt) {
        Some(bundle) => bundle,
        None => {
            let Some(device) = devices::load(turn, asking)? else { return Ok(false) };
            let Some(owner) = phones::by_id(turn, asking.phone)? else { return Ok(false) };
            devices::bundle(turn, &owner, &device)?
        },
    };
    signal::begin(turn, phone, asking, &bundle)?;
    Ok(true)
}

/// The keys in a retry receipt, if it has them and they are well formed.
fn included(device: u16, receipt: &Node) -> Option<PreKeyBundle> {
    let keys = receipt.child("keys")?;
    let registration_id = extract_registration_id_from_node(receipt)?;
    let identity =
        IdentityKey::new(PublicKey::from_djb_public_key_bytes(keys.child_bytes("identity")?).ok()?);
    let signed = SignedPreKeyNode::try_from_node(keys.child("skey")?).ok()?;
    let one_time = match keys.child("key") {
        Some(key) => {
            let key = OneTimePreKeyNode::try_from_node(key).ok()?;
            Some((key.id.into(), PublicKey::from_djb_public_key_bytes(&key.public_bytes).ok()?))
        },
        None => None,
    };
    let signed_public = PublicKey::from_djb_public_key_bytes(&signed.public_bytes).ok()?;
    PreKeyBundle::new(
        registration_id,
        u32::from(device).into(),
        one_time,
        signed.id.into(),
        signed_public,
        signed.signature,
        identity,
    )
    .ok()
}
