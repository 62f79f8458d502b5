//! A phone gets a message: it decrypts, keeps it, says so, reads it and answers as its behaviour tells.

use buffa::Message as _;
use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};
use waproto::whatsapp as wa;

use crate::error::Failure;
use crate::groups::{self, Group};
use crate::live::Address;
use crate::phones::{self, Form, Phone, Reply};
use crate::schedule::{self, Action};
use crate::signal::Opened;
use crate::stanza::{self, Read};
use crate::store::Query;
use crate::turn::Turn;
use crate::{content, deliver, faults, inbox, kinds, ledger, limits, media, outgoing, retry, signal};

/// Brings a message to the phone, or keeps it at the network while the phone is offline.
pub(crate) fn to_phone(turn: &mut Turn<'_>, phone: &Phone, stanza: &Node) -> Result<(), Failure> {
    let own = Address { phone: phone.id, device: 0 };
    if !phone.behaviour.online || faults::keeps_offline(turn, phone)? {
        return deliver::enqueue(turn, own, stanza).map(drop);
    }
    if let Some(after_ms) = faults::holds(turn, "slow_phone", phone.id)? {
        deliver::enqueue(turn, own, stanza)?;
        return schedule::at(turn, phone, after_ms, &Action::CatchUp);
    }
    // What waits comes first.
    if deliver::is_waiting(turn, own)? {
        return deliver::enqueue(turn, own, stanza).map(drop);
    }
    receive(turn, phone, stanza)
}

/// The phone is online again: everything that waited is handed over, in order.
pub(crate) fn catch_up(turn: &mut Turn<'_>, phone: &Phone) -> Result<(), Failure> {
    if faults::keeps_offline(turn, phone)? {
        return Ok(());
    }
    let own = Address { phone: phone.id, device: 0 };
    // What it does about a message may bring it another one, which waits behind the rest.
    loop {
        let waiting = deliver::waiting(turn, own, 0, limits::CATCH_UP)?;
        if waiting.is_empty() {
            break;
        }
        for (seq, stanza) in waiting {
            turn.db.run("DELETE FROM queue WHERE seq = ?", [seq])?;
            receive(turn, phone, &stanza)?;
        }
    }
    turn.live.queued.remove(&own);
    Ok(())
}

fn receive(turn: &mut Turn<'_>, phone: &Phone, stanza: &Node) -> Result<(), Failure> {
    let from = stanza.jid("from").ok_or_else(|| Failure::protocol("a message without a sender"))?;
    if from.is_group() {
        return groups::receive(turn, phone, stanza);
    }
    let id = stanza.id()?;
    let Some(sender) = phones::by_jid(turn, phone.network, &from)? else { return Ok(()) };
    let origin = Origin {
        address: Address { phone: sender.id, device: from.device },
        form: Form::of(&from),
        sender: &sender,
        id: &id,
        group: None,
    };
    let opened = match (stanza.child_bytes("plaintext"), stanza.child("enc")) {
        (Some(plain), _) => Opened::Plain(plain.to_vec()),
        (None, Some(enc)) => signal::decrypt(
            turn,
            phone,
            origin.address,
            enc.text("type").as_deref().unwrap_or_default(),
            enc.bytes().unwrap_or_default(),
        )?,
        (None, None) => return Ok(()),
    };
    let message = match opened {
        Opened::Plain(padded) => Some(decode(&padded, stanza.child("plaintext").is_some())?),
        // The phone has this message, whatever became of this copy.
        Opened::Duplicate | Opened::Failed(_) if inbox::has(turn, phone.id, sender.id, &id)? => None,
        Opened::Duplicate => return retry::ask(turn, phone, &origin, stanza, 4),
        Opened::Failed(reason) => return retry::ask(turn, phone, &origin, stanza, reason),
    };
    if stanza.text("category").as_deref() == Some("peer") {
        return Ok(());
    }
    if sender.id == phone.id
        && stanza.attrs.contains_key("recipient")
        && message.as_ref().is_none_or(|message| message.device_sent_message.is_set())
    {
        if let Some(message) = &message {
            remember_own(turn, phone, None, &id, message)?;
        }
        return confirm_own(turn, phone, &origin, stanza);
    }
    keep(turn, phone, &origin, message.as_ref(), stanza.attrs.contains_key("automatic"))
}

/// Where a message came from.
pub(crate) struct Origin<'a> {
    pub address: Address,
    pub form: Form,
    pub sender: &'a Phone,
    pub id: &'a str,
    /// The group in which it was written.
    pub group: Option<&'a Group>,
}

fn decode(bytes: &[u8], unpadded: bool) -> Result<wa::Message, Failure> {
    let plain = if unpadded {
        bytes
    } else {
        MessageUtils::unpad_message_ref(bytes, 2).map_err(Failure::protocol)?
    };
    wa::Message::decode_from_slice(plain).map_err(Failure::protocol)
}

/// Keeps what the owner wrote on a companion, so that the phone can quote it, and decrypt what others answer to it.
pub(crate) fn remember_own(
    turn: &Turn<'_>,
    phone: &Phone,
    group: Option<&Group>,
    id: &str,
    message: &wa::Message,
) -> Result<(), Failure> {
    let recipient = match group {
        Some(_) => Some(phone.id),
        None => {
            let sent = message.device_sent_message.as_option();
            let chat = sent.and_then(|sent| sent.destination_jid.as_ref()?.parse::<Jid>().ok());
            let other = chat.map(|chat| phones::by_jid(turn, phone.network, &chat)).transpose()?;
            other.flatten().map(|other| other.id)
        },
    };
    let (Some(recipient), Some(kept)) = (recipient, kinds::kept(message)) else { return Ok(()) };
    outgoing::remember_encoded(turn, phone.id, recipient, group.map(|group| group.id), id, &kept)
}

/// What the owner wrote on a companion: the phone tells that device that it arrived. For some clients this
/// is the only sign that the network took their message.
pub(crate) fn confirm_own(
    turn: &mut Turn<'_>,
    phone: &Phone,
    origin: &Origin<'_>,
    stanza: &Node,
) -> Result<(), Failure> {
    let mut receipt = receipt(turn, phone, origin.group, origin.id, origin.form, "sender");
    if let Some(chat) = stanza.jid("recipient") {
        receipt = receipt.attr("recipient", chat);
    }
    deliver::to_companion(turn, origin.address, receipt.build())
}

/// Keeps what the phone decrypted, says so, and does what its behaviour tells.
pub(crate) fn keep(
    turn: &mut Turn<'_>,
    phone: &Phone,
    origin: &Origin<'_>,
    message: Option<&wa::Message>,
    automatic: bool,
) -> Result<(), Failure> {
    let (kind, text) = message.map_or(("unknown", None), content::describe);
    let key = ledger::Key { sender: origin.sender.id, recipient: phone.id, whatsapp_id: origin.id };
    let target = message.and_then(content::target);
    let group = origin.group.map(|group| group.id);
    let media = match message {
        Some(message) => media::receive(turn, message)?,
        None => None,
    };
    let fields = match message {
        Some(message) => kinds::fields(turn, phone, origin, message)?,
        None => None,
    };
    let kept = message.and_then(kinds::kept);
    let content = inbox::Content {
        kind,
        text: text.as_deref(),
        target: target.as_deref(),
        media: media.as_ref(),
        fields: fields.as_ref(),
        message: kept.as_deref(),
    };
    let new = inbox::put(turn, phone, origin.sender, group, origin.id, content)?;
    ledger::copied(turn, key)?;
    // Also for a copy: whoever sent it again may not have seen the first receipt.
    report(turn, phone, origin.sender, origin.group, origin.id, origin.form, "")?;
    // Nobody answers a reaction, or a correction of what was answered already.
    let text = text.filter(|_| !["reaction", "edit"].contains(&kind));
    if new { react(turn, phone, origin, text, automatic) } else { Ok(()) }
}

/// Tells all companions of the sender.
pub(crate) fn report(
    turn: &mut Turn<'_>,
    phone: &Phone,
    sender: &Phone,
    group: Option<&Group>,
    id: &str,
    form: Form,
    kind: &str,
) -> Result<(), Failure> {
    ledger::reported(turn, ledger::Key { sender: sender.id, recipient: phone.id, whatsapp_id: id }, 0, kind)?;
    let receipt = receipt(turn, phone, group, id, form, kind).build();
    deliver::to_companions(turn, sender.id, None, &receipt)
}

fn receipt(
    turn: &Turn<'_>,
    phone: &Phone,
    group: Option<&Group>,
    id: &str,
    form: Form,
    kind: &str,
) -> NodeBuilder {
    let receipt = match group {
        Some(group) => groups::receipt_of(group, phone, 0, id),
        None => NodeBuilder::new("receipt").attr("from", phone.jid(form)).attr("id", id),
    };
    let receipt = receipt.attr("t", stanza::seconds(turn.now));
    if kind.is_empty() { receipt } else { receipt.attr("type", kind.to_owned()) }
}

fn react(
    turn: &mut Turn<'_>,
    phone: &Phone,
    origin: &Origin<'_>,
    text: Option<String>,
    automatic: bool,
) -> Result<(), Failure> {
    let behaviour = &phone.behaviour;
    if let Some(after) = behaviour.read_after_ms {
        schedule::at(
            turn,
            phone,
            after,
            &Action::Read {
                sender: origin.sender.id,
                whatsapp_id: origin.id.to_owned(),
                form: origin.form,
                group: origin.group.map(|group| group.id),
            },
        )?;
    }
    // An automatic answer is never answered automatically, or two such phones would never stop.
    let answer = match (&behaviour.reply, text) {
        (None, _) | (_, None) => return Ok(()),
        _ if automatic => return Ok(()),
        (Some(Reply::Echo), Some(text)) => text,
        (Some(Reply::Text(answer)), Some(_)) => answer.clone(),
    };
    if behaviour.typing_ms > 0 {
        match origin.group {
            Some(group) => groups::typing(turn, phone, group)?,
            None => outgoing::typing(turn, phone, origin.sender, origin.form)?,
        }
    }
    let after = behaviour.typing_ms + behaviour.read_after_ms.unwrap_or(0);
    let group = origin.group.map(|group| group.id);
    let reply = Action::Reply { to: origin.sender.id, text: answer, form: origin.form, group };
    schedule::at(turn, phone, after, &reply)
}
