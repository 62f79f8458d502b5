//! Receipts and acknowledgements from companion devices.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use crate::error::Failure;
use crate::live::{Address, ConnectionId};
use crate::phones::{self, Form, Phone};
use crate::stanza::{self, Read};
use crate::turn::Turn;
use crate::{calls, deliver, devices, groups, ledger, limits, media, retry};

/// `<receipt>`: acknowledged at once, then brought to those whom it concerns.
pub(crate) fn accept(
    turn: &mut Turn<'_>,
    connection: ConnectionId,
    from: Address,
    node: &Node,
) -> Result<(), Failure> {
    let Some(reader) = phones::by_id(turn, from.phone)? else { return Ok(()) };
    let kind = node.text("type").unwrap_or_default();
    // Some clients leave the address out for what their own account sent.
    let to = node.jid("to").unwrap_or_else(|| reader.jid(Form::Pn));
    let ids = ids(node)?;
    turn.send(connection, acknowledgement(node, &ids[0], &to, &kind));
    if calls::arrived(turn, from, node)? {
        return Ok(());
    }
    for id in &ids {
        deliver::message_done(turn, from, id)?;
    }
    if kind == "server-error" {
        return media::reupload_asked(turn, &reader, from, &ids[0], node);
    }
    if to.is_group() {
        return groups::accept_receipt(turn, &reader, from, &to, &ids, &kind, node);
    }
    let Some(author) = phones::by_jid(turn, reader.network, &to)? else { return Ok(()) };
    if kind == "retry" {
        turn.live.note_asked_again(from, &ids[0]);
        return asked_again(turn, &reader, from, &author, &to, &ids[0], node);
    }
    // The rest concerns the author only; `sender`, `peer_msg` and `hist_sync` go to the own account.
    if author.id == reader.id || kind == "read-self" {
        return Ok(());
    }
    for id in &ids {
        ledger::reported(
            turn,
            ledger::Key { sender: author.id, recipient: reader.id, whatsapp_id: id },
            from.device,
            &kind,
        )?;
    }
    deliver::to_companions(
        turn,
        author.id,
        None,
        &relayed(turn, &reader, from.device, Form::of(&to), &ids[0], &kind, node),
    )
}

/// The id of the stanza first, then those in its list.
fn ids(node: &Node) -> Result<Vec<String>, Failure> {
    let mut ids = vec![node.id()?];
    if let Some(list) = node.child("list") {
        ids.extend(
            list.get_children_by_tag("item")
                .filter_map(|item| item.text("id"))
                .filter(|id| id.len() <= limits::STANZA_ID_CHARS)
                .take(limits::USERS_PER_QUERY),
        );
    }
    Ok(ids)
}

fn asked_again(
    turn: &mut Turn<'_>,
    reader: &Phone,
    from: Address,
    author: &Phone,
    to: &Jid,
    id: &str,
    node: &Node,
) -> Result<(), Failure> {
    if to.device == 0 {
        return retry::answer(turn, author, from, id, Form::of(to), node);
    }
    let target = Address { phone: author.id, device: to.device };
    if devices::load(turn, target)?.is_none() {
        return Ok(());
    }
    let receipt = relayed(turn, reader, from.device, Form::of(to), id, "retry", node);
    deliver::to_companion(turn, target, receipt)
}

fn relayed(
    turn: &Turn<'_>,
    reader: &Phone,
    device: u16,
    form: Form,
    id: &str,
    kind: &str,
    node: &Node,
) -> Node {
    let mut receipt = NodeBuilder::new("receipt")
        .attr("from", reader.device_jid(form, device))
        .attr("id", id)
        .attr("t", node.text("t").unwrap_or_else(|| stanza::seconds(turn.now)));
    if !kind.is_empty() {
        receipt = receipt.attr("type", kind.to_owned());
    }
    if let Some(chat) = node.jid("recipient") {
        receipt = receipt.attr("recipient", chat);
    }
    match node.children() {
        Some(children) => receipt.children(children.to_vec()).build(),
        None => receipt.build(),
    }
}

fn acknowledgement(node: &Node, id: &str, to: &Jid, kind: &str) -> Node {
    let mut ack = NodeBuilder::new("ack").attr("class", "receipt").attr("id", id).attr("from", to.clone());
    if !kind.is_empty() {
        ack = ack.attr("type", kind.to_owned());
    }
    if let Some(participant) = node.jid("participant") {
        ack = ack.attr("participant", participant);
    }
    ack.build()
}

/// `<ack>`: the client has this stanza, or (with `error`) will never be able to use it.
pub(crate) fn acknowledged(turn: &mut Turn<'_>, from: Address, node: &Node) -> Result<(), Failure> {
    let (id, class) = (node.id()?, node.text("class").unwrap_or_default());
    if class == "message" {
        if turn.live.is_of_replaced_copy(from, &id) {
            return Ok(());
        }
        return deliver::message_done(turn, from, &id);
    }
    deliver::acknowledged(turn, from, &class, &id, &node.text("type").unwrap_or_default())
}
