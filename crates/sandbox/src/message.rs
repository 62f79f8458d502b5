//! A message from a companion device: accepted, and passed to every device that it was encrypted for.
//!
//! Decided here: a message to a number without a phone in this network is answered with an
//! acknowledgement that carries error 404, and is not stored. The network passes ciphertexts on as they
//! are; it never looks into them, and neither drops nor merges a repeated id (devices and phones do that).

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use crate::error::Failure;
use crate::ledger;
use crate::live::{Address, ConnectionId};
use crate::phones::{self, Form, Phone};
use crate::stanza::{self, Read};
use crate::turn::Turn;
use crate::{deliver, faults, groups, incoming, limits, people};

/// `<message>` from a client.
pub(crate) fn accept(
    turn: &mut Turn<'_>,
    connection: ConnectionId,
    from: Address,
    node: &Node,
) -> Result<(), Failure> {
    let id = node.id()?;
    let to = node.jid("to").ok_or_else(|| Failure::protocol("a message without an address"))?;
    let Some(sender) = phones::by_id(turn, from.phone)? else { return Ok(()) };
    if to.is_group() {
        return groups::accept_message(turn, connection, from, &sender, &to, node);
    }
    if to.is_status_broadcast() || to.is_newsletter() {
        // Not simulated.
        turn.send(connection, acknowledgement(turn.now, &id, &to, Some(501)));
        return Ok(());
    }
    let recipient = phones::by_jid(turn, sender.network, &to)?;
    let Some(recipient) = recipient else {
        turn.send(connection, acknowledgement(turn.now, &id, &to, Some(404)));
        return Ok(());
    };
    let targets = ciphertexts(node, &to);
    // Baileys 7 counts in the one of its two ciphertexts that is not delivered.
    let asked_for_again = (targets.iter().map(|(_, enc)| *enc).chain(node.child("enc")))
        .any(|enc| enc.attrs.contains_key("count"));
    let peer = node.text("category").as_deref() == Some("peer");
    if !peer && !asked_for_again && faults::limits_unanswered(turn, &sender, recipient.id)? {
        turn.send(connection, acknowledgement(turn.now, &id, &to, Some(463)));
        return Ok(());
    }
    if !peer && !asked_for_again {
        ledger::accepted(
            turn,
            sender.network,
            ledger::Key { sender: sender.id, recipient: recipient.id, whatsapp_id: &id },
        )?;
    }
    if !faults::applies(turn, "lose_ack", sender.id)? {
        turn.send(connection, acknowledgement(turn.now, &id, &to, None));
    }
    let envelope = Envelope {
        sender: &sender,
        device: from.device,
        recipient: &recipient,
        form: Form::of(&to),
        node,
        id: &id,
        now: turn.now,
    };
    let blocked = people::blocks(turn, recipient.id, sender.id)?;
    for (jid, enc) in targets {
        let owner =
            [&sender, &recipient].into_iter().find(|phone| phone.jid(Form::of(&jid)).user == jid.user);
        let Some(owner) = owner else { continue };
        let target = Address { phone: owner.id, device: jid.device };
        if target == from || (blocked && owner.id == recipient.id) {
            continue;
        }
        let copy = faults::corrupted(turn, owner.id, envelope.seal(owner, enc))?;
        pass_on(turn, owner, target, copy)?;
    }
    Ok(())
}

fn pass_on(turn: &mut Turn<'_>, owner: &Phone, target: Address, stanza: Node) -> Result<(), Failure> {
    if target.device == 0 {
        return incoming::to_phone(turn, owner, &stanza);
    }
    // A device that was unlinked meanwhile has no queue.
    if crate::devices::load(turn, target)?.is_some() {
        deliver::to_companion(turn, target, stanza)
    } else {
        Ok(())
    }
}

/// For each device its ciphertext. Some clients send both forms when they are asked again: one is enough.
fn ciphertexts<'n>(node: &'n Node, to: &Jid) -> Vec<(Jid, &'n Node)> {
    match node.child("participants") {
        Some(participants) => participants
            .get_children_by_tag("to")
            .filter_map(|to| Some((to.jid("jid")?, to.child("enc")?)))
            .take(limits::USERS_PER_QUERY)
            .collect(),
        None => node.child("enc").map(|enc| (to.clone(), enc)).into_iter().collect(),
    }
}

/// What all copies of one message share.
struct Envelope<'a> {
    sender: &'a Phone,
    device: u16,
    recipient: &'a Phone,
    form: Form,
    node: &'a Node,
    id: &'a str,
    now: i64,
}

impl Envelope<'_> {
    /// The copy for one device of `owner`.
    fn seal(&self, owner: &Phone, enc: &Node) -> Node {
        let stanza = NodeBuilder::new("message")
            .attr("from", self.sender.device_jid(self.form, self.device))
            .attr("id", self.id)
            .attr("t", stanza::seconds(self.now))
            .attr("type", self.node.text("type").unwrap_or_else(|| "text".to_owned()))
            .attr("notify", self.sender.push_name());
        let mut stanza = if owner.id == self.sender.id {
            to_own_device(stanza, self.recipient, self.form)
        } else {
            match self.form {
                Form::Lid => stanza.attr("sender_pn", self.sender.device_jid(Form::Pn, self.device)),
                Form::Pn => stanza.attr("sender_lid", self.sender.device_jid(Form::Lid, self.device)),
            }
        };
        for mark in ["category", "edit"] {
            if let Some(value) = self.node.text(mark) {
                stanza = stanza.attr(mark, value);
            }
        }
        let mut children = vec![enc.clone()];
        if enc.text("type").as_deref() == Some("pkmsg")
            && let Some(identity) = self.node.child("device-identity")
        {
            children.push(identity.clone());
        }
        stanza.children(children).build()
    }
}

/// A copy for the sender's own devices names the chat in `recipient`, and the chat's other address, without
/// which some clients cannot say whom their receipt is for.
pub(crate) fn to_own_device(stanza: NodeBuilder, recipient: &Phone, form: Form) -> NodeBuilder {
    let stanza = stanza.attr("recipient", recipient.jid(form));
    match form {
        Form::Lid => stanza.attr("peer_recipient_pn", recipient.jid(Form::Pn)),
        Form::Pn => stanza.attr("peer_recipient_lid", recipient.jid(Form::Lid)),
    }
}

/// The network's `<ack>`.
pub(crate) fn acknowledgement(now: i64, id: &str, from: &Jid, error: Option<u16>) -> Node {
    let ack = NodeBuilder::new("ack")
        .attr("class", "message")
        .attr("id", id)
        .attr("from", from.clone())
        .attr("t", stanza::seconds(now));
    match error {
        Some(error) => ack.attr("error", error.to_string()).build(),
        None => ack.build(),
    }
}
