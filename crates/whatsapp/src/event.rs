//! What a connection says, and the queue it says it through.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use waxwing_domain::{Person, Timestamp};
use whatsapp_rust::types::events::Event;

use crate::handler::Shared;
use crate::history::HistoryPart;
use crate::store::Poison;

/// Ids of messages as WhatsApp knows them.
pub type WhatsappIds = Vec<String>;

/// Something that happened on a connection. Receipts and acks are at most once across a crash; messages are not here
/// but go through the [`InboundSink`](crate::InboundSink).
#[derive(Debug, Clone, PartialEq)]
pub enum ConnectionEvent {
    /// Show this as a QR code. The next one follows when it is no longer valid.
    Qr {
        /// What the QR code says.
        code: String,
        /// How long it is valid.
        ttl: Duration,
    },
    /// No more QR codes, and pairing needs a new connection. This one ends, unless a code to type in is still valid.
    QrExhausted {
        /// A code to type in is valid: the connection goes on for it, and its owner ends it in time.
        code_outstanding: bool,
    },
    /// A phone linked this device. The identity is durable; [`Self::Connected`] follows by itself.
    Paired {
        /// The account and its name.
        me: Person,
        /// What the phone runs.
        platform: String,
    },
    /// Linking failed; the QR codes go on.
    PairError {
        /// Why.
        reason: String,
    },
    /// The phone wants a passkey before it links this device. Not supported yet.
    PasskeyRequired {
        /// The WebAuthn request as JSON.
        request: String,
    },
    /// The code was scanned by a phone that cannot link devices.
    PhoneUnsupported,
    /// Logged in and ready.
    Connected {
        /// The account and its name.
        me: Person,
    },
    /// The run that [`Connection::connect`](crate::Connection::connect) started is over. Always its last event.
    Disconnected {
        /// Why, and with it whether connecting again helps.
        reason: Disconnect,
    },
    /// This device is no longer linked. Its Signal state is worthless: erase it.
    LoggedOut {
        /// Why.
        reason: LogoutReason,
    },
    /// Another socket took this session over.
    Replaced,
    /// WhatsApp refuses this version of the client, and with it every session of the fleet.
    ClientOutdated,
    /// WhatsApp restricted the account.
    Restricted {
        /// Until when.
        until: Timestamp,
        /// WhatsApp's code.
        code: i32,
        /// What WhatsApp says about it.
        message: Option<String>,
    },
    /// The server took an outgoing message, or refused it.
    ServerAck {
        /// The message.
        whatsapp_id: String,
        /// The server's time, where it says one.
        at: Option<Timestamp>,
        /// WhatsApp's code where it refused the message.
        error: Option<String>,
    },
    /// A recipient got, read or played messages.
    Receipt {
        /// The messages.
        whatsapp_ids: WhatsappIds,
        /// The conversation.
        chat: Person,
        /// Whose receipt it is.
        from: Person,
        /// How far it went.
        step: ReceiptStep,
        /// When, by the server.
        at: Timestamp,
    },
    /// A message came that cannot be read (yet): the library has asked its sender to send it again.
    Undecryptable {
        /// The message.
        whatsapp_id: String,
        /// The conversation.
        chat: Person,
        /// Its sender.
        from: Person,
        /// When, by the server.
        at: Timestamp,
    },
    /// Somebody calls, or called while the session was away.
    Called(Call),
    /// The phone handed over a part of its history.
    History(HistoryPart),
    /// The name of the account changed.
    NameChanged {
        /// The new name.
        name: String,
    },
    /// A message that the network does not keep for us (from a channel, say) could not be committed and is lost.
    InboundLost {
        /// The message.
        whatsapp_id: String,
        /// What the sink said.
        reason: String,
    },
    /// The reader of these events was too slow: the socket was closed instead of dropping events silently.
    Overflow {
        /// How many events the queue holds.
        limit: usize,
    },
    /// The Signal state cannot be written any more; the socket was closed without a flush.
    Poisoned {
        /// Why.
        reason: Poison,
    },
}

/// A call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// WhatsApp's id of the call.
    pub call_id: String,
    /// Who calls.
    pub from: Person,
    /// The group, for a call of a group.
    pub group: Option<Person>,
    /// With a picture.
    pub video: bool,
    /// It is over: the session was away.
    pub missed: bool,
    /// When, by the server.
    pub at: Timestamp,
    /// Whom a refusal goes to, and whose call it is.
    pub(crate) answer_to: Option<Box<(wacore_binary::Jid, wacore_binary::Jid)>>,
}

/// How far a message went for one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptStep {
    /// It is on a device.
    Delivered,
    /// It was read.
    Read,
    /// It was listened to or watched.
    Played,
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disconnect {
    /// Connecting again helps; the text says what happened, for people.
    Transient(String),
    /// No connection could be made; another try may.
    Unreachable(String),
    /// Connecting again with this connection does not help.
    Permanent(PermanentCause),
}

impl Disconnect {
    /// True when the caller should connect again, at its own pace.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient(_) | Self::Unreachable(_))
    }
}

/// Why a connection is over for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PermanentCause {
    /// The device is no longer linked.
    LoggedOut,
    /// Another socket took over.
    Replaced,
    /// The client is too old.
    ClientOutdated,
    /// The account is restricted.
    Restricted,
    /// Nobody scanned. Open a new connection to pair.
    QrExhausted,
    /// WhatsApp refused the login for another reason.
    Refused(String),
    /// The event queue was full.
    Overflow,
    /// The Signal state cannot be written.
    Poisoned,
    /// The caller closed or aborted it.
    Closed,
}

/// Why a device is no longer linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogoutReason {
    /// The phone, or we ourselves, unlinked it.
    Unlinked,
    /// WhatsApp locked the account.
    AccountLocked,
    /// Something else; WhatsApp's code.
    Other(String),
}

/// An entry of the queue: the library's event as it came, or one of our own.
pub(crate) enum Queued {
    Library(Arc<Event>),
    Own(Box<ConnectionEvent>),
}

/// The reading end of a connection's events.
pub struct ConnectionEvents {
    queue: mpsc::Receiver<Queued>,
    /// Taken from the queue and not told yet: what makes [`Self::recv`] safe to cancel.
    current: Option<Queued>,
    ready: VecDeque<ConnectionEvent>,
    shared: Arc<Shared>,
}

impl ConnectionEvents {
    pub(crate) fn new(queue: mpsc::Receiver<Queued>, shared: Arc<Shared>) -> Self {
        Self { queue, current: None, ready: VecDeque::new(), shared }
    }

    /// The next event, in the order in which the library raised them; `None` when the connection is gone. Safe to
    /// cancel. Read without pause: past its limit the queue closes the connection.
    pub async fn recv(&mut self) -> Option<ConnectionEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.current.is_none() {
                self.current = Some(self.queue.recv().await?);
            }
            match &self.current {
                Some(Queued::Library(event)) => {
                    let told = self.shared.tell(event).await;
                    self.ready.extend(told);
                },
                Some(Queued::Own(event)) => self.ready.push_back(ConnectionEvent::clone(event)),
                None => {},
            }
            self.current = None;
        }
    }
}
