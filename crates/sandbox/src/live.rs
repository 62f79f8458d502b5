//! What lives only as long as the process: sockets, pairing codes on screens, generators.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use tokio::sync::mpsc::UnboundedSender;
use wacore_binary::Node;

use crate::code_pairing::CodeRequest;
use crate::limits;
use crate::phones::Form;
use crate::turn::Effect;

pub(crate) type ConnectionId = u64;

/// One device of one phone; device 0 is the phone itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub phone: i64,
    pub device: u16,
}

/// What a connection's task is told.
pub(crate) enum Out {
    Node(Box<Node>),
    Close,
}

/// The writing half of a socket, as the engine sees it.
#[derive(Clone)]
pub(crate) struct Writer {
    pub queue: UnboundedSender<Out>,
    /// Stanzas not yet written.
    pub unwritten: Arc<AtomicUsize>,
}

impl Writer {
    fn send(&self, out: Out) {
        if self.unwritten.fetch_add(1, Ordering::Relaxed) > limits::UNWRITTEN {
            let _ = self.queue.send(Out::Close);
        } else {
            let _ = self.queue.send(out);
        }
    }
}

/// One open socket.
pub(crate) struct Socket {
    pub network: i64,
    pub writer: Writer,
    /// By which name the client reached us.
    pub host: String,
    /// Since login.
    pub address: Option<Address>,
    /// Since the client asked for its queue; until then everything waits there.
    pub active: bool,
    /// The client says that its user looks at it.
    pub available: bool,
    /// Phones whose presence it wants to know, and how it named them.
    pub watched: HashMap<i64, Form>,
    /// The codes on its screen, before pairing.
    pub refs: Vec<String>,
    /// Messages that were asked for again: an `<ack>` of the first copy is still to come, and must not take the second
    /// one, which has the same id, off the queue.
    pub asked_again: HashSet<String>,
}

/// A registration that waits for its scan, or for the device's signature after it.
pub(crate) struct Pairing {
    pub network: i64,
    pub registration: Registration,
    /// Set by the scan, or by the right code.
    pub claimed: Option<Address>,
    /// When the client asked to be linked by code.
    pub code: Option<CodeRequest>,
}

/// What an unpaired client says about itself in the handshake.
#[derive(Clone)]
pub(crate) struct Registration {
    pub noise_key: Vec<u8>,
    pub identity: Vec<u8>,
    pub registration_id: u32,
    pub signed_id: u32,
    pub signed_key: Vec<u8>,
    pub signed_signature: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Live {
    pub sockets: HashMap<ConnectionId, Socket>,
    pub by_address: HashMap<Address, ConnectionId>,
    /// By code.
    pub refs: HashMap<String, ConnectionId>,
    pub pairings: HashMap<ConnectionId, Pairing>,
    pub generators: HashMap<i64, StdRng>,
    /// How many things of a kind each owner has been given: by network, kind, and a phone's number or a group.
    pub series: HashMap<(i64, &'static str, Box<str>), u64>,
    /// By device, the place in its queue of a stanza that another one shall overtake.
    pub held: HashMap<Address, i64>,
    /// Lengths of queues, once counted.
    pub queued: HashMap<Address, i64>,
    pub next_connection: ConnectionId,
}

impl Live {
    /// Forgets a socket and what belongs to it.
    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        let Some(socket) = self.sockets.remove(&connection) else { return };
        if let Some(address) = socket.address
            && self.by_address.get(&address) == Some(&connection)
        {
            self.by_address.remove(&address);
        }
        for code in socket.refs {
            self.refs.remove(&code);
        }
        self.pairings.remove(&connection);
    }

    /// Notes that a message was asked for again on the device's socket.
    pub(crate) fn note_asked_again(&mut self, device: Address, id: &str) {
        let socket = self.by_address.get(&device).and_then(|connection| self.sockets.get_mut(connection));
        if let Some(socket) = socket.filter(|socket| socket.asked_again.len() < limits::ASKED_AGAIN) {
            socket.asked_again.insert(id.to_owned());
        }
    }

    /// True when the acknowledgement is of a copy that was replaced by another.
    pub(crate) fn is_of_replaced_copy(&mut self, device: Address, id: &str) -> bool {
        let socket = self.by_address.get(&device).and_then(|connection| self.sockets.get_mut(connection));
        socket.is_some_and(|socket| socket.asked_again.remove(id))
    }

    /// Tells every socket to close, and forgets all of them.
    pub(crate) fn close_all(&mut self) {
        for socket in self.sockets.values() {
            socket.writer.send(Out::Close);
        }
        let next_connection = self.next_connection;
        // Generators stay: one that started again would repeat itself.
        let generators = std::mem::take(&mut self.generators);
        let series = std::mem::take(&mut self.series);
        *self = Self { next_connection, generators, series, ..Self::default() };
    }

    /// Lets the outside see what was decided; only answers to callers go out when the commit failed.
    pub(crate) fn fire(&mut self, effects: impl Iterator<Item = Effect>, committed: bool) {
        for effect in effects {
            match effect {
                Effect::Send(writer, node) if committed => writer.send(Out::Node(node)),
                Effect::Close(writer) if committed => writer.send(Out::Close),
                Effect::Send(..) | Effect::Close(_) => {},
                Effect::Then(then) => then(committed),
            }
        }
    }
}
