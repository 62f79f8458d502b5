//! From an open socket to an active device: admission, login, the first login's keys and history, the queue.

use std::collections::{HashMap, HashSet};

use buffa::MessageField;
use rand::RngExt;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::protocol_message::Type;

use crate::error::Failure;
use crate::live::{Address, ConnectionId, Socket, Writer};
use crate::phones::{self, Form, Phone};
use crate::socket::Admission;
use crate::stanza;
use crate::store::Query;
use crate::turn::Turn;
use crate::{app_state, deliver, devices, faults, history, limits, outgoing, pairing, signal};

/// Decides whether a socket may open. A refusal is not an error: it uses up a fault, which must be stored.
pub(crate) fn admit(turn: &mut Turn<'_>, token: &str) -> Result<Admission, Failure> {
    let Some(network) =
        turn.db.one("SELECT id FROM network WHERE token = ? AND token <> ''", [token], |row| {
            row.get::<_, i64>(0)
        })?
    else {
        return Ok(Admission::Unknown);
    };
    if turn.live.sockets.len() >= limits::CONNECTIONS
        || faults::strike(turn, network, None, "refuse_connections")?.is_some()
    {
        return Ok(Admission::Refused);
    }
    let seed = turn.generator(network)?.random();
    Ok(Admission::Welcome { network, seed })
}

/// After the handshake: a login, or a registration.
pub(crate) fn open(
    turn: &mut Turn<'_>,
    network: i64,
    writer: Writer,
    host: String,
    payload: &wa::ClientPayload,
    noise_key: Vec<u8>,
) -> Result<ConnectionId, Failure> {
    turn.live.next_connection += 1;
    let connection = turn.live.next_connection;
    turn.live.sockets.insert(
        connection,
        Socket {
            network,
            writer,
            host,
            address: None,
            active: false,
            available: false,
            watched: HashMap::new(),
            refs: Vec::new(),
            asked_again: HashSet::new(),
        },
    );
    let opened = match payload.username {
        Some(user) => u16::try_from(payload.device.unwrap_or(0))
            .map_err(Failure::protocol)
            .and_then(|device| login(turn, connection, network, user, device, &noise_key)),
        None => pairing::offer(turn, connection, network, payload, noise_key),
    };
    if opened.is_err() {
        turn.live.forget(connection);
    }
    opened.map(|()| connection)
}

fn login(
    turn: &mut Turn<'_>,
    connection: ConnectionId,
    network: i64,
    user: u64,
    device: u16,
    noise_key: &[u8],
) -> Result<(), Failure> {
    let phone = phones::by_number(turn, network, &user.to_string())?;
    let known = match &phone {
        Some(phone) => devices::load(turn, Address { phone: phone.id, device })?
            .filter(|known| known.keys.noise_key == noise_key),
        None => None,
    };
    let (Some(phone), Some(known)) = (phone, known) else {
        return refuse(turn, connection, &[("reason", "401".to_owned()), ("location", "sandbox".to_owned())]);
    };
    if faults::applies(turn, "client_outdated", phone.id)? {
        return refuse(turn, connection, &[("reason", "405".to_owned())]);
    }
    if faults::applies(turn, "service_unavailable", phone.id)? {
        return refuse(turn, connection, &[("reason", "503".to_owned())]);
    }
    if let Some(until) = faults::strike(turn, network, Some(phone.id), "restrict")? {
        // 101: "sent too many messages to people who do not know you".
        let left = if until > turn.now { (until - turn.now) / 1_000 } else { 60 };
        return refuse(
            turn,
            connection,
            &[("reason", "402".to_owned()), ("code", "101".to_owned()), ("expire", left.to_string())],
        );
    }
    if let Some(&older) = turn.live.by_address.get(&known.address) {
        turn.send(older, stanza::conflict("replaced"));
        turn.close(older);
    }
    turn.live.by_address.insert(known.address, connection);
    if let Some(socket) = turn.live.sockets.get_mut(&connection) {
        socket.address = Some(known.address);
    }
    let success = NodeBuilder::new("success")
        .attr("t", stanza::seconds(turn.now))
        .attr("props", "1")
        .attr("companion_enc_static", "")
        .attr("location", "sandbox")
        .attr("lid", phone.device_jid(Form::Lid, device))
        .attr("display_name", phone.push_name())
        .build();
    turn.send(connection, success);
    turn.send(connection, routing());
    Ok(())
}

/// Where the client should be routed next time. It says this before the header of its next connection, as the real
/// servers want it ([`crate::socket`] reads it); we have only one place to route to.
fn routing() -> Node {
    let info = NodeBuilder::new("routing_info").bytes(b"sandbox".to_vec()).build();
    NodeBuilder::new("ib")
        .attr("from", stanza::SERVER)
        .children([NodeBuilder::new("edge_routing").children([info]).build()])
        .build()
}

fn refuse(
    turn: &mut Turn<'_>,
    connection: ConnectionId,
    attributes: &[(&'static str, String)],
) -> Result<(), Failure> {
    let failure = attributes
        .iter()
        .fold(NodeBuilder::new("failure"), |node, (key, value)| node.attr(key, value.as_str()));
    turn.send(connection, failure.build());
    turn.close(connection);
    Ok(())
}

/// `<active/>`: the client takes stanzas from now on, beginning with what waits for it.
pub(crate) fn activate(
    turn: &mut Turn<'_>,
    connection: ConnectionId,
    address: Address,
) -> Result<(), Failure> {
    let Some(phone) = phones::by_id(turn, address.phone)? else { return Ok(()) };
    let Some(device) = devices::load(turn, address)? else { return Ok(()) };
    if device.fresh {
        welcome(turn, &phone, &device)?;
        turn.db
            .run("UPDATE device SET fresh = 0 WHERE phone = ? AND id = ?", (address.phone, address.device))?;
    }
    let Some(socket) = turn.live.sockets.get_mut(&connection) else { return Ok(()) };
    if std::mem::replace(&mut socket.active, true) {
        return Ok(());
    }
    let waiting = deliver::waiting(turn, address, 0, limits::QUEUE)?;
    if !waiting.is_empty() {
        let of = |class: &str| waiting.iter().filter(|(_, stanza)| stanza.tag == class).count().to_string();
        let preview = NodeBuilder::new("offline_preview")
            .attr("count", waiting.len().to_string())
            .attr("message", of("message"))
            .attr("receipt", of("receipt"))
            .attr("notification", of("notification"))
            .attr("appdata", "0")
            .build();
        turn.send(
            connection,
            NodeBuilder::new("ib").attr("from", stanza::SERVER).children([preview]).build(),
        );
    }
    let count = waiting.len();
    for (index, (_, mut stanza)) in waiting.into_iter().enumerate() {
        stanza.attrs.push("offline", index.to_string());
        turn.send(connection, stanza);
    }
    let offline = NodeBuilder::new("offline").attr("count", count.to_string()).build();
    turn.send(connection, NodeBuilder::new("ib").attr("from", stanza::SERVER).children([offline]).build());
    Ok(())
}

/// `<ib><offline_batch>`: the queue was sent whole already; TCP slows us down where the client is slow.
pub(crate) fn batch_requested(_: &mut Turn<'_>, _: Address, _: &Node) -> Result<(), Failure> {
    Ok(())
}

/// What the phone sends to a device that it has just linked: the app-state key, without which clients wait
/// 10 s, and its history in the three parts that clients wait for.
fn welcome(turn: &mut Turn<'_>, phone: &Phone, device: &devices::Device) -> Result<(), Failure> {
    let bundle = devices::bundle_without_one_time_key(device)?;
    signal::begin(turn, phone, device.address, &bundle)?;
    let key = app_state::key(turn, phone)?;
    let mut contents = vec![key_share(turn.now, device.address.device, &key)];
    contents.extend(history::parts(turn, phone)?);
    for protocol in contents {
        let message = wa::Message { protocol_message: MessageField::some(protocol), ..Default::default() };
        let own = phone.jid(Form::Pn);
        let id = turn.stanza_id(phone.network)?.to_uppercase();
        let enc = outgoing::encrypted(turn, phone, device.address, &message, None)?;
        let stanza = NodeBuilder::new("message")
            .attr("from", own.clone())
            .attr("id", id)
            .attr("t", stanza::seconds(turn.now))
            .attr("type", "text")
            .attr("category", "peer")
            .attr("recipient", own)
            .children([enc])
            .build();
        deliver::to_companion(turn, device.address, stanza)?;
    }
    Ok(())
}

fn key_share(now: i64, device: u16, key: &[u8; 32]) -> wa::message::ProtocolMessage {
    use wa::message::{
        AppStateSyncKey, AppStateSyncKeyData, AppStateSyncKeyFingerprint, AppStateSyncKeyId,
        AppStateSyncKeyShare,
    };
    // A share without a fingerprint is ignored.
    let fingerprint = AppStateSyncKeyFingerprint {
        raw_id: Some(1),
        current_index: Some(1),
        device_indexes: vec![0, device.into()],
    };
    let data = AppStateSyncKeyData {
        key_data: Some(key.to_vec()),
        fingerprint: MessageField::some(fingerprint),
        timestamp: Some(now),
    };
    let id = AppStateSyncKeyId { key_id: Some(app_state::KEY_ID.to_vec()) };
    let share = AppStateSyncKeyShare {
        keys: vec![AppStateSyncKey { key_id: MessageField::some(id), key_data: MessageField::some(data) }],
    };
    wa::message::ProtocolMessage {
        r#type: Some(Type::APP_STATE_SYNC_KEY_SHARE),
        app_state_sync_key_share: MessageField::some(share),
        ..Default::default()
    }
}
