//! A phone sends: to the other person's phone and companions, and a copy to its owner's companions.

use buffa::{Message as _, MessageField};
use rand::RngExt;
use wacore::messages::MessageUtils;
use wacore::send::stanza_type_from_message;
use wacore::types::message::EditAttribute;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;

use crate::error::Failure;
use crate::live::Address;
use crate::message::to_own_device;
use crate::phones::{Form, Phone};
use crate::store::Query;
use crate::turn::Turn;
use crate::{deliver, devices, faults, incoming, ledger, limits, people, signal, stanza};

/// Who writes to whom, addressed how, and whether by itself.
#[derive(Clone, Copy)]
pub(crate) struct Route<'a> {
    pub from: &'a Phone,
    pub to: &'a Phone,
    pub form: Form,
    pub automatic: bool,
}

/// An id as phones make them, for the phone's next message.
pub(crate) fn message_id(turn: &mut Turn<'_>, phone: &Phone) -> Result<String, Failure> {
    let random: [u8; 15] = turn.next_of(phone.network, "message", &phone.number)?.random();
    Ok(std::iter::once("AC".to_owned()).chain(random.iter().map(|byte| format!("{byte:02X}"))).collect())
}

/// Sends a message, gives its id.
pub(crate) fn send(turn: &mut Turn<'_>, route: Route<'_>, message: &wa::Message) -> Result<String, Failure> {
    let id = message_id(turn, route.from)?;
    ledger::accepted(
        turn,
        route.from.network,
        ledger::Key { sender: route.from.id, recipient: route.to.id, whatsapp_id: &id },
    )?;
    remember(turn, route.from.id, route.to.id, None, &id, message)?;
    let to_self = route.from.id == route.to.id;
    let blocked = people::blocks(turn, route.to.id, route.from.id)?;
    if !to_self && !blocked {
        for device in devices::companions(turn, route.to.id)? {
            let address = Address { phone: route.to.id, device };
            let stanza = copy(turn, route, address, &id, message, None)?;
            let stanza = faults::corrupted(turn, route.to.id, stanza)?;
            deliver::to_companion(turn, address, stanza)?;
        }
    }
    for device in devices::companions(turn, route.from.id)? {
        let address = Address { phone: route.from.id, device };
        let stanza = copy(turn, route, address, &id, message, None)?;
        deliver::to_companion(turn, address, stanza)?;
    }
    if blocked {
        return Ok(id);
    }
    // Between two simulated phones nothing is gained by encrypting: both are this program.
    let mut plain = envelope(turn, route, &id, message);
    if route.automatic {
        plain = plain.attr("automatic", "1");
    }
    let plain =
        plain.children([NodeBuilder::new("plaintext").bytes(message.encode_to_vec()).build()]).build();
    incoming::to_phone(turn, route.to, &plain)?;
    Ok(id)
}

/// The stanza for one companion, of the other person or of the sender; `count` when it was asked for again.
pub(crate) fn copy(
    turn: &mut Turn<'_>,
    route: Route<'_>,
    device: Address,
    id: &str,
    message: &wa::Message,
    count: Option<u32>,
) -> Result<Node, Failure> {
    let own = device.phone == route.from.id;
    let enc = if own {
        let sent = wa::message::DeviceSentMessage {
            destination_jid: Some(route.to.jid(route.form).to_string()),
            message: MessageField::some(message.clone()),
            ..Default::default()
        };
        encrypted(
            turn,
            route.from,
            device,
            &wa::Message { device_sent_message: MessageField::some(sent), ..Default::default() },
            count,
        )?
    } else {
        encrypted(turn, route.from, device, message, count)?
    };
    let stanza = envelope(turn, route, id, message);
    let stanza = if own { to_own_device(stanza, route.to, route.form) } else { stanza };
    Ok(stanza.children([enc]).build())
}

fn envelope(turn: &Turn<'_>, route: Route<'_>, id: &str, message: &wa::Message) -> NodeBuilder {
    let stanza = NodeBuilder::new("message")
        .attr("from", route.from.jid(route.form))
        .attr("id", id)
        .attr("t", stanza::seconds(turn.now));
    let stanza = marked(stanza, message);
    // Who gave no name shows none.
    let stanza = match &route.from.name {
        Some(name) => stanza.attr("notify", name.as_str()),
        None => stanza,
    };
    match route.form {
        Form::Pn => stanza.attr("sender_lid", route.from.jid(Form::Lid)),
        Form::Lid => stanza.attr("sender_pn", route.from.jid(Form::Pn)),
    }
}

/// With what every stanza says of its content: its type, and what it does to an earlier message (1: edits it, 2: pins
/// it, 7: its author takes it back, 8: an admin does), as both clients send it.
pub(crate) fn marked(stanza: NodeBuilder, message: &wa::Message) -> NodeBuilder {
    let stanza = stanza.attr("type", stanza_type_from_message(message));
    match EditAttribute::infer_from_message(message) {
        Some(edit) => stanza.attr("edit", edit.to_string_val()),
        None => stanza,
    }
}

/// `<enc>` for one companion. Begins a ratchet when there is none.
pub(crate) fn encrypted(
    turn: &mut Turn<'_>,
    phone: &Phone,
    device: Address,
    message: &wa::Message,
    count: Option<u32>,
) -> Result<Node, Failure> {
    if !signal::has_ratchet(turn, phone.id, device)? {
        let known = devices::load(turn, device)?.ok_or_else(|| Failure::protocol("no such device"))?;
        let owner =
            crate::phones::by_id(turn, device.phone)?.ok_or_else(|| Failure::protocol("no such phone"))?;
        let bundle = devices::bundle(turn, &owner, &known)?;
        signal::begin(turn, phone, device, &bundle)?;
    }
    let (kind, ciphertext) =
        signal::encrypt(turn, phone, device, &MessageUtils::pad_message_v2(message.encode_to_vec()))?;
    let enc = NodeBuilder::new("enc").attr("v", "2").attr("type", kind);
    let enc = match count {
        Some(count) => enc.attr("count", count.to_string()),
        None => enc,
    };
    Ok(enc.bytes(ciphertext).build())
}

/// Keeps the content, for devices that ask again.
pub(crate) fn remember(
    turn: &Turn<'_>,
    from: i64,
    to: i64,
    group: Option<i64>,
    id: &str,
    message: &wa::Message,
) -> Result<(), Failure> {
    remember_encoded(turn, from, to, group, id, &message.encode_to_vec())
}

/// The same, of a message that is encoded already.
pub(crate) fn remember_encoded(
    turn: &Turn<'_>,
    from: i64,
    to: i64,
    group: Option<i64>,
    id: &str,
    message: &[u8],
) -> Result<(), Failure> {
    turn.db.run(
        "INSERT OR REPLACE INTO sent (phone, recipient, group_chat, whatsapp_id, content, sent_at) VALUES (?, ?, ?, ?, ?, ?)",
        (from, to, group, id, message, turn.now),
    )?;
    let bound = "DELETE FROM sent WHERE phone = ? AND seq <= (SELECT seq FROM sent WHERE phone = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)";
    if turn.db.last_insert_rowid() % 64 == 0 {
        // Counting is linear, so not at every message.
        turn.db.run(bound, (from, from, limits::SENT))?;
    }
    Ok(())
}

/// "typing…" for the other person's devices that are there now.
pub(crate) fn typing(turn: &mut Turn<'_>, phone: &Phone, to: &Phone, form: Form) -> Result<(), Failure> {
    let chatstate = NodeBuilder::new("chatstate")
        .attr("from", phone.jid(form))
        .children([NodeBuilder::new("composing").build()])
        .build();
    for device in devices::companions(turn, to.id)? {
        if let Some(connection) = turn.active_socket(Address { phone: to.id, device }) {
            turn.send(connection, chatstate.clone());
        }
    }
    Ok(())
}
