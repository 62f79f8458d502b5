//! Who is there, who was there last, who types: told to those who asked, and only while they are connected.
//! As `WAWebPresence` has it in `whatsapp-rust`: a subscription lasts as long as its socket.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{JidExt as _, Node};

use crate::error::{Failure, Refusal};
use crate::live::{Address, ConnectionId};
use crate::phone_handle::PhoneHandle;
use crate::phones::{self, Form, Phone};
use crate::stanza::{self, Read};
use crate::store::Query;
use crate::turn::Turn;
use crate::{devices, groups, limits, people};

/// `<presence>` from a client.
pub(crate) fn accept(
    turn: &mut Turn<'_>,
    connection: ConnectionId,
    from: Address,
    node: &Node,
) -> Result<(), Failure> {
    let Some(own) = phones::by_id(turn, from.phone)? else { return Ok(()) };
    if let Some(name) = node.text("name") {
        rename(turn, &own, &name)?;
    }
    match node.text("type").as_deref() {
        Some("subscribe") => subscribe(turn, connection, &own, node),
        Some("unsubscribe") => {
            let Some(to) = node.jid("to") else { return Ok(()) };
            let Some(other) = phones::by_jid(turn, own.network, &to)? else { return Ok(()) };
            if let Some(socket) = turn.live.sockets.get_mut(&connection) {
                socket.watched.remove(&other.id);
            }
            Ok(())
        },
        Some("available") => appear(turn, connection, &own, true),
        Some("unavailable") => appear(turn, connection, &own, false),
        _ => Ok(()),
    }
}

/// What a client says about its owner's name holds for the phone as well.
fn rename(turn: &Turn<'_>, own: &Phone, name: &str) -> Result<(), Failure> {
    if phones::is_name(name) && name != own.push_name() {
        turn.db.run("UPDATE phone SET name = ? WHERE id = ?", (name, own.id))?;
    }
    Ok(())
}

fn subscribe(turn: &mut Turn<'_>, connection: ConnectionId, own: &Phone, node: &Node) -> Result<(), Failure> {
    let Some(to) = node.jid("to") else { return Ok(()) };
    let Some(other) = phones::by_jid(turn, own.network, &to)? else { return Ok(()) };
    let form = Form::of(&to);
    let Some(socket) = turn.live.sockets.get_mut(&connection) else { return Ok(()) };
    if socket.watched.len() >= limits::SUBSCRIPTIONS {
        tracing::debug!("a client watches as many people as it may");
        return Ok(());
    }
    socket.watched.insert(other.id, form);
    let state = state(turn, &other, own, form)?;
    turn.send(connection, state);
    Ok(())
}

/// What `watcher` may know of the phone's owner now.
fn state(turn: &Turn<'_>, phone: &Phone, watcher: &Phone, form: Form) -> Result<Node, Failure> {
    let presence = NodeBuilder::new("presence").attr("from", phone.jid(form));
    if people::blocks(turn, phone.id, watcher.id)? {
        return Ok(presence.attr("type", "unavailable").build());
    }
    if is_there(turn, phone.id)? {
        return Ok(presence.build());
    }
    let presence = presence.attr("type", "unavailable");
    if !people::shows(turn, phone.id, "last")? {
        return Ok(presence.attr("last", "deny").build());
    }
    let last = turn.db.number("SELECT last_seen FROM phone WHERE id = ?", [phone.id])?;
    Ok(if last > 0 { presence.attr("last", stanza::seconds(last)).build() } else { presence.build() })
}

fn is_there(turn: &Turn<'_>, phone: i64) -> Result<bool, Failure> {
    let on_companion = turn
        .live
        .sockets
        .values()
        .any(|socket| socket.available && socket.address.is_some_and(|address| address.phone == phone));
    Ok(on_companion || turn.db.number("SELECT present FROM phone WHERE id = ?", [phone])? == 1)
}

fn appear(
    turn: &mut Turn<'_>,
    connection: ConnectionId,
    own: &Phone,
    available: bool,
) -> Result<(), Failure> {
    let before = is_there(turn, own.id)?;
    if let Some(socket) = turn.live.sockets.get_mut(&connection) {
        socket.available = available;
    }
    changed(turn, own, before)
}

impl PhoneHandle {
    /// Whether the person is online: at the phone, or at a linked device that says so.
    ///
    /// # Errors
    /// `phone_not_found`.
    pub async fn is_online(&self) -> Result<bool, Refusal> {
        self.call(|turn, phone| is_there(turn, phone.id)).await
    }
}

/// The phone's owner looks at the phone, or puts it away.
pub(crate) fn set(turn: &mut Turn<'_>, phone: &Phone, present: bool) -> Result<(), Failure> {
    let before = is_there(turn, phone.id)?;
    turn.db.run("UPDATE phone SET present = ? WHERE id = ?", (present, phone.id))?;
    changed(turn, phone, before)
}

/// A socket is about to be forgotten.
pub(crate) fn left(turn: &mut Turn<'_>, connection: ConnectionId) -> Result<(), Failure> {
    let Some(socket) = turn.live.sockets.get_mut(&connection) else { return Ok(()) };
    let (true, Some(address)) = (std::mem::replace(&mut socket.available, false), socket.address) else {
        return Ok(());
    };
    match phones::by_id(turn, address.phone)? {
        Some(phone) => changed(turn, &phone, true),
        None => Ok(()),
    }
}

fn changed(turn: &mut Turn<'_>, phone: &Phone, before: bool) -> Result<(), Failure> {
    let now = is_there(turn, phone.id)?;
    if now == before {
        return Ok(());
    }
    if !now {
        turn.db.run("UPDATE phone SET last_seen = ? WHERE id = ?", (turn.now, phone.id))?;
    }
    let mut watchers: Vec<(ConnectionId, i64, Form)> = turn
        .live
        .sockets
        .iter()
        .filter_map(|(id, socket)| Some((*id, socket.address?.phone, *socket.watched.get(&phone.id)?)))
        .collect();
    watchers.sort_unstable_by_key(|(id, ..)| *id);
    for (connection, watcher, form) in watchers {
        let Some(watcher) = phones::by_id(turn, watcher)? else { continue };
        let state = state(turn, phone, &watcher, form)?;
        turn.send(connection, state);
    }
    Ok(())
}

/// `<chatstate>` from a client: to the other person's devices, or to those of the group, that are there.
pub(crate) fn typing(turn: &mut Turn<'_>, from: Address, node: &Node) -> Result<(), Failure> {
    let (Some(own), Some(to)) = (phones::by_id(turn, from.phone)?, node.jid("to")) else { return Ok(()) };
    let children = node.children().unwrap_or_default().to_vec();
    if to.is_group() {
        let Some(group) = groups::by_jid(turn, own.network, &to)? else { return Ok(()) };
        return groups::tell_state(turn, &own, &group, children);
    }
    let Some(other) = phones::by_jid(turn, own.network, &to)? else { return Ok(()) };
    if other.id == own.id || people::blocks(turn, other.id, own.id)? {
        return Ok(());
    }
    let state = NodeBuilder::new("chatstate").attr("from", own.jid(Form::of(&to))).children(children).build();
    for device in devices::companions(turn, other.id)? {
        if let Some(connection) = turn.active_socket(Address { phone: other.id, device }) {
            turn.send(connection, state.clone());
        }
    }
    Ok(())
}
