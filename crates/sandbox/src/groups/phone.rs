//! What a phone does in a group: it writes with its sender key, and decrypts what others write.

use buffa::{Message as _, MessageField};
use wacore::messages::MessageUtils;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;

use super::relay::{envelope, may_write};
use super::{Group, members, sender_keys};
use crate::error::{Failure, Refusal};
use crate::incoming::{self, Origin};
use crate::live::Address;
use crate::phones::{self, Phone};
use crate::signal::Opened;
use crate::stanza::Read;
use crate::store::Query;
use crate::turn::Turn;
use crate::{deliver, devices, faults, inbox, ledger, outgoing, retry, signal};

/// Writes a message into the group, gives its id.
pub(crate) fn send(
    turn: &mut Turn<'_>,
    phone: &Phone,
    group: &Group,
    message: &wa::Message,
    automatic: bool,
) -> Result<String, Failure> {
    let members = members(turn, group)?;
    if !may_write(group, &members, phone.id) {
        return Err(Refusal::new(403, "forbidden", "this phone may not write in this group")
            .at("/to")
            .into());
    }
    let id = outgoing::message_id(turn, phone)?;
    for member in members.iter().filter(|member| member.phone.id != phone.id) {
        let key = ledger::Key { sender: phone.id, recipient: member.phone.id, whatsapp_id: &id };
        ledger::accepted_in(turn, phone.network, Some(group.id), key)?;
    }
    outgoing::remember(turn, phone.id, phone.id, Some(group.id), &id, message)?;
    // Before the content: the key that others get must be able to decrypt it.
    let distribution = sender_keys::distribution(turn, phone, group)?;
    let padded = MessageUtils::pad_message_v2(message.encode_to_vec());
    let sealed = sender_keys::encrypt(turn, phone, group, &padded)?;
    let content = NodeBuilder::new("enc").attr("v", "2").attr("type", "skmsg").bytes(sealed).build();
    for member in &members {
        for device in devices::companions(turn, member.phone.id)? {
            let device = Address { phone: member.phone.id, device };
            let mut children = Vec::new();
            if !sender_keys::is_given(turn, phone.id, group, device)? {
                let key = with_key(group, &distribution, wa::Message::default());
                children.push(outgoing::encrypted(turn, phone, device, &key, None)?);
                sender_keys::note_given(turn, phone.id, group, device)?;
            }
            children.push(content.clone());
            let stanza = headed(turn, phone, group, &id, message).children(children).build();
            let stanza = faults::corrupted(turn, member.phone.id, stanza)?;
            deliver::to_companion(turn, device, stanza)?;
        }
    }
    // Between two simulated phones nothing is gained by encrypting: both are this program.
    let mut plain = headed(turn, phone, group, &id, message);
    if automatic {
        plain = plain.attr("automatic", "1");
    }
    let plain =
        plain.children([NodeBuilder::new("plaintext").bytes(message.encode_to_vec()).build()]).build();
    for member in members.iter().filter(|member| member.phone.id != phone.id) {
        incoming::to_phone(turn, &member.phone, &plain)?;
    }
    Ok(id)
}

fn headed(turn: &Turn<'_>, phone: &Phone, group: &Group, id: &str, message: &wa::Message) -> NodeBuilder {
    let stanza = outgoing::marked(envelope(group, phone, phone.jid(group.form), id, turn.now), message);
    // Who gave no name shows none.
    match &phone.name {
        Some(name) => stanza.attr("notify", name.as_str()),
        None => stanza,
    }
}

fn with_key(group: &Group, distribution: &[u8], message: wa::Message) -> wa::Message {
    let key = wa::message::SenderKeyDistributionMessage {
        group_id: Some(group.jid().to_string()),
        axolotl_sender_key_distribution_message: Some(distribution.to_vec()),
    };
    wa::Message { sender_key_distribution_message: MessageField::some(key), ..message }
}

/// A device asks for a message of the phone again: it gets it for itself alone, with the phone's key.
pub(super) fn answer_retry(
    turn: &mut Turn<'_>,
    phone: &Phone,
    asking: Address,
    group: &Group,
    id: &str,
    receipt: &Node,
) -> Result<(), Failure> {
    let Some(count) = retry::count(receipt) else { return Ok(()) };
    let sql = "SELECT content FROM sent WHERE phone = ? AND whatsapp_id = ? AND group_chat = ?";
    let found = turn.db.one(sql, (phone.id, id, group.id), |row| row.get::<_, Vec<u8>>(0))?;
    let (Some(content), Some(_)) = (found, super::rank(turn, group, asking.phone)?) else { return Ok(()) };
    let message = wa::Message::decode_from_slice(&content).map_err(Failure::protocol)?;
    if !retry::begin_anew(turn, phone, asking, receipt)? {
        return Ok(());
    }
    let distribution = sender_keys::distribution(turn, phone, group)?;
    let whole = with_key(group, &distribution, message.clone());
    let enc = outgoing::encrypted(turn, phone, asking, &whole, Some(count))?;
    sender_keys::note_given(turn, phone.id, group, asking)?;
    let stanza = headed(turn, phone, group, id, &message).children([enc]).build();
    deliver::to_companion(turn, asking, stanza)
}

/// A phone gets a message of a group.
pub(crate) fn receive(turn: &mut Turn<'_>, phone: &Phone, stanza: &Node) -> Result<(), Failure> {
    let jid = stanza.jid("from").ok_or_else(|| Failure::protocol("a message without a group"))?;
    let author =
        stanza.jid("participant").ok_or_else(|| Failure::protocol("a group message without an author"))?;
    let id = stanza.id()?;
    let Some(group) = super::by_jid(turn, phone.network, &jid)? else { return Ok(()) };
    let Some(sender) = phones::by_jid(turn, phone.network, &author)? else { return Ok(()) };
    let origin = Origin {
        address: Address { phone: sender.id, device: author.device },
        form: group.form,
        sender: &sender,
        id: &id,
        group: Some(&group),
    };
    let mut opened = None;
    if let Some(plain) = stanza.child_bytes("plaintext") {
        opened = Some(Opened::Plain(plain.to_vec()));
    }
    for enc in stanza.get_children_by_tag("enc") {
        match open(turn, phone, &origin, &group, enc)? {
            // It brought a key only.
            Some(Opened::Plain(plain)) if plain.is_empty() => {},
            Some(Opened::Plain(plain)) => opened = Some(Opened::Plain(plain)),
            // Not the first trouble, but the last: without its key a message cannot be opened either.
            Some(other) if !matches!(opened, Some(Opened::Plain(_))) => opened = Some(other),
            Some(_) | None => {},
        }
    }
    let message = match opened {
        None => return Ok(()),
        Some(Opened::Plain(plain)) => {
            Some(wa::Message::decode_from_slice(&plain).map_err(Failure::protocol)?)
        },
        Some(_) if inbox::has(turn, phone.id, sender.id, &id)? => None,
        Some(Opened::Duplicate) => return retry::ask(turn, phone, &origin, stanza, 4),
        Some(Opened::Failed(reason)) => return retry::ask(turn, phone, &origin, stanza, reason),
    };
    if sender.id == phone.id {
        if let Some(message) = &message {
            incoming::remember_own(turn, phone, Some(&group), &id, message)?;
        }
        return incoming::confirm_own(turn, phone, &origin, stanza);
    }
    incoming::keep(turn, phone, &origin, message.as_ref(), stanza.attrs.contains_key("automatic"))
}

/// Opens one ciphertext, and keeps the key that it brings. The plain text comes without its padding; it is empty
/// when there was nothing but a key.
fn open(
    turn: &mut Turn<'_>,
    phone: &Phone,
    origin: &Origin<'_>,
    group: &Group,
    enc: &Node,
) -> Result<Option<Opened>, Failure> {
    let kind = enc.text("type").unwrap_or_default();
    let Some(ciphertext) = enc.bytes() else { return Ok(None) };
    let opened = match kind.as_str() {
        "skmsg" => sender_keys::decrypt(turn, phone, group, origin.address, ciphertext)?,
        _ => signal::decrypt(turn, phone, origin.address, &kind, ciphertext)?,
    };
    let Opened::Plain(padded) = opened else { return Ok(Some(opened)) };
    let plain = MessageUtils::unpad_message_ref(&padded, 2).map_err(Failure::protocol)?;
    if kind == "skmsg" {
        return Ok(Some(Opened::Plain(plain.to_vec())));
    }
    let mut message = wa::Message::decode_from_slice(plain).map_err(Failure::protocol)?;
    if let Some(key) = message.sender_key_distribution_message.take()
        && let Some(distribution) = key.axolotl_sender_key_distribution_message
    {
        sender_keys::learn(turn, phone, group, origin.address, &distribution)?;
    }
    // A context is no content.
    let context = message.message_context_info.take();
    let plain = if message == wa::Message::default() {
        Vec::new()
    } else {
        message.message_context_info = context.map_or_else(MessageField::none, MessageField::some);
        message.encode_to_vec()
    };
    Ok(Some(Opened::Plain(plain)))
}

/// "typing…" for the members' devices that are there now.
pub(crate) fn typing(turn: &mut Turn<'_>, phone: &Phone, group: &Group) -> Result<(), Failure> {
    tell_state(turn, phone, group, vec![NodeBuilder::new("composing").build()])
}

/// What somebody does in the group, for the other members' devices that are there now.
pub(crate) fn tell_state(
    turn: &mut Turn<'_>,
    phone: &Phone,
    group: &Group,
    state: Vec<Node>,
) -> Result<(), Failure> {
    if super::rank(turn, group, phone.id)?.is_none() {
        return Ok(());
    }
    let chatstate = NodeBuilder::new("chatstate")
        .attr("from", group.jid())
        .attr("participant", phone.jid(group.form))
        .children(state)
        .build();
    for member in members(turn, group)?.iter().filter(|member| member.phone.id != phone.id) {
        for device in devices::companions(turn, member.phone.id)? {
            if let Some(connection) = turn.active_socket(Address { phone: member.phone.id, device }) {
                turn.send(connection, chatstate.clone());
            }
        }
    }
    Ok(())
}
