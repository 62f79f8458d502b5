//! A message from a companion device to a group: one stanza for each device of each member, with that
//! device's copy of the sender's key where the message brings one.

use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::{Group, Member, Rank, members};
use crate::error::Failure;
use crate::live::{Address, ConnectionId};
use crate::message::acknowledgement;
use crate::phones::{Form, Phone};
use crate::stanza::{self, Read};
use crate::turn::Turn;
use crate::{deliver, devices, faults, incoming, ledger, limits};

/// `<message to=…@g.us>`. Refused with 404 when there is no such group, with 403 when the sender may not
/// write in it.
pub(crate) fn accept(
    turn: &mut Turn<'_>,
    connection: ConnectionId,
    from: Address,
    sender: &Phone,
    to: &Jid,
    node: &Node,
) -> Result<(), Failure> {
    let id = node.id()?;
    let Some(group) = super::by_jid(turn, sender.network, to)? else {
        turn.send(connection, acknowledgement(turn.now, &id, to, Some(404)));
        return Ok(());
    };
    let members = members(turn, &group)?;
    if !may_write(&group, &members, sender.id) {
        turn.send(connection, acknowledgement(turn.now, &id, to, Some(403)));
        return Ok(());
    }
    let resent_to = node.jid("participant");
    if resent_to.is_none() {
        for member in members.iter().filter(|member| member.phone.id != sender.id) {
            let key = ledger::Key { sender: sender.id, recipient: member.phone.id, whatsapp_id: &id };
            ledger::accepted_in(turn, sender.network, Some(group.id), key)?;
        }
    }
    if !faults::applies(turn, "lose_ack", sender.id)? {
        let mut ack = acknowledgement(turn.now, &id, to, None);
        if let Some(hash) = other_hash(turn, &group, &members, node)? {
            ack.attrs.push("phash", hash);
        }
        turn.send(connection, ack);
    }
    let message = Message { group: &group, sender, device: from.device, node, id: &id, now: turn.now };
    match resent_to {
        Some(device) => resend(turn, &message, &members, &device),
        None => fan_out(turn, &message, &members, from),
    }
}

/// Whether the phone's owner may write: a member, and an admin where only those write.
pub(super) fn may_write(group: &Group, members: &[Member], phone: i64) -> bool {
    members
        .iter()
        .find(|member| member.phone.id == phone)
        .is_some_and(|member| !group.announcement || member.rank > Rank::Member)
}

/// The client says for which devices it encrypted, as a hash. When that is not all of them it is told the
/// right hash, and fetches members and devices anew.
fn other_hash(
    turn: &Turn<'_>,
    group: &Group,
    members: &[Member],
    node: &Node,
) -> Result<Option<String>, Failure> {
    let Some(said) = node.text("phash") else { return Ok(None) };
    let mut jids = Vec::new();
    for member in members {
        jids.push(member.phone.jid(group.form));
        for device in devices::companions(turn, member.phone.id)? {
            jids.push(member.phone.device_jid(group.form, device));
        }
    }
    let right = MessageUtils::participant_list_hash(&jids).map_err(Failure::protocol)?;
    Ok((right != said).then_some(right))
}

struct Message<'a> {
    group: &'a Group,
    sender: &'a Phone,
    device: u16,
    node: &'a Node,
    id: &'a str,
    now: i64,
}

fn fan_out(
    turn: &mut Turn<'_>,
    message: &Message<'_>,
    members: &[Member],
    from: Address,
) -> Result<(), Failure> {
    let keys: Vec<(Jid, &Node)> = keys(message.node).collect();
    for member in members {
        let phone = &member.phone;
        let companions = devices::companions(turn, phone.id)?;
        for device in std::iter::once(0).chain(companions) {
            let target = Address { phone: phone.id, device };
            if target == from {
                continue;
            }
            let key = keys.iter().find(|(jid, _)| is(phone, device, jid));
            let stanza = message.seal(key.map(|(_, enc)| *enc), message.node.child("enc"));
            pass_on(turn, phone, target, stanza)?;
        }
    }
    Ok(())
}

/// The copies of the sender's key, each with the device that it is for.
fn keys(message: &Node) -> impl Iterator<Item = (Jid, &Node)> {
    message
        .child("participants")
        .into_iter()
        .flat_map(|participants| participants.get_children_by_tag("to"))
        .filter_map(|to| Some((to.jid("jid")?, to.child("enc")?)))
        .take(limits::GROUP_MEMBERS * (usize::try_from(limits::COMPANIONS).unwrap_or(0) + 1))
}

/// Whether this is the address of the phone's device.
fn is(phone: &Phone, device: u16, jid: &Jid) -> bool {
    jid.device == device && phone.jid(Form::of(jid)).user == jid.user
}

/// A message that one device asked for again: encrypted for that device alone.
fn resend(
    turn: &mut Turn<'_>,
    message: &Message<'_>,
    members: &[Member],
    device: &Jid,
) -> Result<(), Failure> {
    let owner = members.iter().find(|member| member.phone.jid(Form::of(device)).user == device.user);
    let Some(owner) = owner else { return Ok(()) };
    let content = message.node.child("enc");
    // Some clients put all of it into one ciphertext; Baileys 6 gives its key once more, beside what everybody got.
    let key = match content.and_then(|enc| enc.text("type")).as_deref() {
        Some("skmsg") => keys(message.node).find(|(jid, _)| is(&owner.phone, device.device, jid)),
        _ => None,
    };
    let stanza = message.seal(key.map(|(_, enc)| enc), content);
    pass_on(turn, &owner.phone, Address { phone: owner.phone.id, device: device.device }, stanza)
}

fn pass_on(turn: &mut Turn<'_>, owner: &Phone, target: Address, stanza: Node) -> Result<(), Failure> {
    let stanza = faults::corrupted(turn, owner.id, stanza)?;
    if target.device == 0 {
        return incoming::to_phone(turn, owner, &stanza);
    }
    // A device that was unlinked meanwhile has no queue.
    if devices::load(turn, target)?.is_some() { deliver::to_companion(turn, target, stanza) } else { Ok(()) }
}

impl Message<'_> {
    /// The copy for one device: the key for it, if any, then what all share.
    fn seal(&self, key: Option<&Node>, content: Option<&Node>) -> Node {
        let participant = self.sender.device_jid(self.group.form, self.device);
        let kind = self.node.text("type").unwrap_or_else(|| "text".to_owned());
        let mut stanza = envelope(self.group, self.sender, participant, self.id, self.now)
            .attr("type", kind)
            .attr("notify", self.sender.push_name());
        if let Some(edit) = self.node.text("edit") {
            stanza = stanza.attr("edit", edit);
        }
        let mut children: Vec<Node> = key.into_iter().chain(content).cloned().collect();
        if children.iter().any(|enc| enc.text("type").as_deref() == Some("pkmsg"))
            && let Some(identity) = self.node.child("device-identity")
        {
            children.push(identity.clone());
        }
        stanza.children(children).build()
    }
}

/// What every message of a group says about itself.
pub(super) fn envelope(group: &Group, sender: &Phone, participant: Jid, id: &str, now: i64) -> NodeBuilder {
    let device = participant.device;
    let stanza = NodeBuilder::new("message")
        .attr("from", group.jid())
        .attr("participant", participant)
        .attr("id", id)
        .attr("t", stanza::seconds(now))
        .attr("addressing_mode", group.addressing_mode());
    match group.form {
        Form::Pn => stanza.attr("participant_lid", sender.device_jid(Form::Lid, device)),
        Form::Lid => stanza.attr("participant_pn", sender.device_jid(Form::Pn, device)),
    }
}
