//! One session's client.

mod media;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wacore::iq::{keepalive::KeepaliveSpec, spec::IqSpec as _};
use waxwing_domain::{Jid, Person, PhoneNumber, Timestamp};
use whatsapp_rust::pair_code::{PairCodeError, PairCodeOptions, PairError};
use whatsapp_rust::request::IqError;
use whatsapp_rust::types::events::Subscription;
use whatsapp_rust::{Client, SendOptions};

use crate::convert;
use crate::event::{Call, ConnectionEvent, Disconnect, PermanentCause, Queued};
use crate::handler::Shared;
use crate::history::History;
use crate::outgoing::{OutgoingMessage, SendError};
use crate::store::Poison;

pub use media::{MEDIA_BYTES_MAX, MediaError, MediaFile, MediaKind};

/// How long [`Connection::close`] waits for the run to end after the client has disconnected.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a run could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The last run has not ended yet.
    #[error("the session is connected or connecting")]
    AlreadyRunning,
    /// This connection was closed, or cannot be used again. Open another.
    #[error("the connection is closed")]
    Closed,
}

/// A code to type into the phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkCode {
    /// Eight characters of Crockford's base 32.
    pub code: String,
    /// How long the phone accepts it.
    pub ttl: Duration,
}

/// Why there is no code to type in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// The connection does not wait for a phone, or another code is being asked for.
    #[error("the session does not wait for a phone")]
    NotPairing,
    /// The server gives none for this number, or not now.
    #[error("WhatsApp gives no code: {0}")]
    Refused(String),
}

/// How long the phone accepts a code. It begins when the code is asked for.
const CODE_TTL: Duration = Duration::from_secs(180);

/// One session's client. Dropping it is [`Self::abort`].
pub struct Connection {
    client: Arc<Client>,
    shared: Arc<Shared>,
    queue: mpsc::Sender<Queued>,
    running: Arc<AtomicBool>,
    /// A run ended for good: the client does not start again.
    spent: Arc<AtomicBool>,
    run: Mutex<Option<JoinHandle<()>>>,
    poison_watch: JoinHandle<()>,
    _subscription: Subscription,
}

impl Connection {
    pub(crate) fn new(
        client: Arc<Client>,
        shared: Arc<Shared>,
        queue: mpsc::Sender<Queued>,
        subscription: Subscription,
    ) -> Self {
        let poison_watch =
            tokio::spawn(watch_poison(Arc::clone(&client), Arc::clone(&shared), queue.clone()));
        Self {
            client,
            shared,
            queue,
            running: Arc::default(),
            spent: Arc::default(),
            run: Mutex::new(None),
            poison_watch,
            _subscription: subscription,
        }
    }

    /// Starts one run: connects, logs in or shows QR codes, and reads until the socket is lost.
    /// [`ConnectionEvent::Disconnected`] ends it and says whether another helps; this connection never reconnects by
    /// itself, except right after pairing, where the server asks for a new socket at once.
    pub fn connect(&self) -> Result<(), ConnectError> {
        if self.shared.is_closed() || self.spent.load(Ordering::Acquire) {
            return Err(ConnectError::Closed);
        }
        if self.running.swap(true, Ordering::AcqRel) {
            return Err(ConnectError::AlreadyRunning);
        }
        self.shared.begin_run();
        let run = run(
            Arc::clone(&self.client),
            Arc::clone(&self.shared),
            self.queue.clone(),
            Arc::clone(&self.running),
            Arc::clone(&self.spent),
        );
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(tokio::spawn(run));
        Ok(())
    }

    /// Encrypts and writes a message to the socket. What the server and the recipients say about it comes as events.
    pub async fn send(&self, message: OutgoingMessage) -> Result<(), SendError> {
        let to = convert::to_library(&message.to);
        let proto = convert::outgoing(&message, self.shared.me().as_ref())?;
        if self.shared.is_closed() || !self.client.is_connected() || !self.client.is_logged_in() {
            return Err(SendError::NotConnected);
        }
        let options = SendOptions::default().with_message_id(message.whatsapp_id);
        let send = self.client.send_message_with_options(to, proto, options);
        // On a closed socket the library would wait a minute for an answer that cannot come.
        tokio::select! {
            sent = send => sent.map(drop).map_err(SendError::from),
            () = self.shared.gate.closed() => Err(SendError::Failed("the session was closed".to_owned())),
        }
    }

    /// Tells the sender that messages were read. `from` is the sender in a group, and nobody in a direct chat.
    pub async fn mark_read(
        &self,
        chat: &Jid,
        from: Option<&Jid>,
        whatsapp_ids: &[&str],
    ) -> Result<(), SendError> {
        if self.shared.is_closed() || !self.client.is_logged_in() {
            return Err(SendError::NotConnected);
        }
        let from = from.map(convert::to_library);
        let marked = self.client.mark_as_read(&convert::to_library(chat), from.as_ref(), whatsapp_ids).await;
        marked.map_err(|error| SendError::Failed(error.to_string()))
    }

    /// Asks for a code with which the phone of this number links this device: while QR codes are shown. It replaces the
    /// one before.
    pub async fn link_code(&self, phone: &PhoneNumber) -> Result<LinkCode, CodeError> {
        if self.shared.is_closed() || self.is_paired() || !self.client.is_connected() {
            return Err(CodeError::NotPairing);
        }
        self.client.cancel_pair_code().await;
        let options =
            PairCodeOptions { phone_number: phone.digits().to_owned(), ..PairCodeOptions::default() };
        match self.client.pair_with_code(options).await {
            Ok(code) => Ok(LinkCode { code, ttl: CODE_TTL }),
            Err(PairError::PairCode(
                PairCodeError::CodeAlreadyOutstanding { .. } | PairCodeError::Cancelled,
            )) => Err(CodeError::NotPairing),
            Err(error) => Err(CodeError::Refused(error.to_string())),
        }
    }

    /// Shows contacts that the account is online, or that it is not. The client says online at each login.
    pub async fn show_online(&self, online: bool) -> Result<(), SendError> {
        let presence = self.client.presence();
        let shown = if online { presence.set_available().await } else { presence.set_unavailable().await };
        shown.map_err(|error| SendError::Failed(error.to_string()))
    }

    /// Declines a call that rings.
    pub async fn reject_call(&self, call: &Call) -> Result<(), SendError> {
        let Some((peer, creator)) = call.answer_to.as_deref() else {
            return Err(SendError::Invalid("the call is over".to_owned()));
        };
        let rejected = self.client.voip().reject_call(&call.call_id, peer, creator).await;
        rejected.map_err(|error| SendError::Failed(error.to_string()))
    }

    /// Whether old conversations are taken from the phone when it links this device.
    pub fn take_history(&self, take: bool) {
        self.client.set_skip_history_sync(!take);
    }

    /// Reads a part of the history.
    pub fn history(&self, packed: Bytes) -> History {
        History::new(packed, self.shared.clone())
    }

    /// Unlinks this device on the server, as far as it can be reached, and closes. The Signal state is worthless
    /// afterwards: erase it.
    pub async fn logout(&self) {
        self.client.logout().await;
        self.close().await;
    }

    /// Stops reading, finishes what is on the wire, makes everything durable, disconnects. For good: the Signal state
    /// stays usable for another [`Connector::open`](crate::Connector::open).
    pub async fn close(&self) {
        self.shared.note_end(Disconnect::Permanent(PermanentCause::Closed));
        self.client.disconnect().await;
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(run) = run
            && tokio::time::timeout(CLOSE_TIMEOUT, run).await.is_err()
        {
            tracing::warn!("a closed session did not end in time");
        }
        if let Err(error) = self.shared.state().flush().await {
            tracing::warn!(%error, "a closed session could not be flushed");
        }
        self.shared.gate.close();
    }

    /// Stops at once and writes nothing more, neither to the socket nor to the Signal state: for a host that lost its
    /// session to another. The Signal state has to be opened anew.
    pub fn abort(&self) {
        self.shared.note_end(Disconnect::Permanent(PermanentCause::Closed));
        self.shared.state().abandon();
        self.shared.gate.close();
        self.client.signal_shutdown_sync();
    }

    /// When the network last said anything on the current socket.
    pub fn last_frame_at(&self) -> Option<Timestamp> {
        let unix_ms = self.client.stats().last_data_received_ms;
        i64::try_from(unix_ms).ok().filter(|ms| *ms > 0).and_then(|ms| Timestamp::from_millisecond(ms).ok())
    }

    /// Asks the network for a sign of life, as the client itself does every half minute. False when it says nothing in time.
    pub async fn probe(&self, timeout: Duration) -> bool {
        let probe = self.client.send_iq(KeepaliveSpec::with_timeout(timeout).build_iq());
        let answer = tokio::time::timeout(timeout, probe).await;
        // Of other errors the end of the connection tells.
        !matches!(answer, Err(_) | Ok(Err(IqError::Timeout)))
    }

    /// The account and its name, once a phone has linked this device.
    pub fn me(&self) -> Option<Person> {
        self.shared.me()
    }

    /// True once a phone has linked this device.
    pub fn is_paired(&self) -> bool {
        self.client.pn().is_some()
    }

    /// True while messages can be sent.
    pub fn is_connected(&self) -> bool {
        !self.shared.is_closed() && self.client.is_connected() && self.client.is_logged_in()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.poison_watch.abort();
        if !self.shared.is_closed() {
            self.abort();
        }
    }
}

async fn run(
    client: Arc<Client>,
    shared: Arc<Shared>,
    queue: mpsc::Sender<Queued>,
    running: Arc<AtomicBool>,
    spent: Arc<AtomicBool>,
) {
    loop {
        // Reconnects are admitted by the caller: without this flag the library's loop ends with its socket.
        client.enable_auto_reconnect.store(false, Ordering::Relaxed);
        client.run().await;
        if shared.is_closed() || !shared.restarts_after_pairing().await {
            break;
        }
    }
    let reason = shared.take_end();
    if !reason.is_transient() {
        spent.store(true, Ordering::Release);
    }
    running.store(false, Ordering::Release);
    // Waits for room: the reader has to learn that it was too slow.
    if reason == Disconnect::Permanent(PermanentCause::Overflow) {
        let overflow = ConnectionEvent::Overflow { limit: queue.max_capacity() };
        let _ = queue.send(Queued::Own(Box::new(overflow))).await;
    }
    let _ = queue.send(Queued::Own(Box::new(ConnectionEvent::Disconnected { reason }))).await;
}

/// Aborts the client, without a flush, when its state cannot be written any more.
async fn watch_poison(client: Arc<Client>, shared: Arc<Shared>, queue: mpsc::Sender<Queued>) {
    let poison = shared.state().poisoned().await;
    if poison == Poison::Abandoned {
        return;
    }
    shared.note_end(Disconnect::Permanent(PermanentCause::Poisoned));
    shared.gate.close();
    client.signal_shutdown_sync();
    let _ = queue.send(Queued::Own(Box::new(ConnectionEvent::Poisoned { reason: poison }))).await;
}
