//! Receipts in groups: they name the author in `participant`, and come to the author from the group.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::{Group, phone};
use crate::error::Failure;
use crate::live::Address;
use crate::phones::{self, Form, Phone};
use crate::stanza::{self, Read};
use crate::turn::Turn;
use crate::{deliver, devices, ledger};

/// A companion's receipt for messages in a group; it is acknowledged already.
pub(crate) fn accept(
    turn: &mut Turn<'_>,
    reader: &Phone,
    from: Address,
    to: &Jid,
    ids: &[String],
    kind: &str,
    node: &Node,
) -> Result<(), Failure> {
    let Some(first) = ids.first() else { return Ok(()) };
    let Some(group) = super::by_jid(turn, reader.network, to)? else { return Ok(()) };
    let Some(participant) = node.jid("participant") else { return Ok(()) };
    let Some(author) = phones::by_jid(turn, reader.network, &participant)? else { return Ok(()) };
    let receipt = relayed(turn, &group, reader, from.device, first, kind, node);
    if kind == "retry" {
        turn.live.note_asked_again(from, first);
        if participant.device == 0 {
            return phone::answer_retry(turn, &author, from, &group, first, node);
        }
        let target = Address { phone: author.id, device: participant.device };
        return match devices::load(turn, target)? {
            Some(_) => deliver::to_companion(turn, target, receipt),
            None => Ok(()),
        };
    }
    if author.id == reader.id || kind == "read-self" {
        return Ok(());
    }
    for id in ids {
        let key = ledger::Key { sender: author.id, recipient: reader.id, whatsapp_id: id };
        ledger::reported(turn, key, from.device, kind)?;
    }
    deliver::to_companions(turn, author.id, None, &receipt)
}

fn relayed(
    turn: &Turn<'_>,
    group: &Group,
    reader: &Phone,
    device: u16,
    id: &str,
    kind: &str,
    node: &Node,
) -> Node {
    let receipt = of_phone(group, reader, device, id)
        .attr("t", node.text("t").unwrap_or_else(|| stanza::seconds(turn.now)));
    let receipt = if kind.is_empty() { receipt } else { receipt.attr("type", kind.to_owned()) };
    match node.children() {
        Some(children) => receipt.children(children.to_vec()).build(),
        None => receipt.build(),
    }
}

/// `<receipt from=group participant=…>`, without type and time.
pub(crate) fn of_phone(group: &Group, reader: &Phone, device: u16, id: &str) -> NodeBuilder {
    let receipt = NodeBuilder::new("receipt")
        .attr("from", group.jid())
        .attr("participant", reader.device_jid(group.form, device))
        .attr("id", id);
    match group.form {
        Form::Pn => receipt,
        Form::Lid => receipt.attr("participant_pn", reader.device_jid(Form::Pn, device)),
    }
}
