//! Between the library's event bus and our queue.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use wacore::types::call::{CallAction, IncomingCall};
use waxwing_app::ports::Clock;
use waxwing_domain::{Person, Timestamp};
use whatsapp_rust::Client;
use whatsapp_rust::types::events::{
    ConnectFailureReason, Event, EventHandler, EventInterest, EventKind, MessageBatch,
};
use whatsapp_rust::types::presence::ReceiptType;

use crate::convert;
use crate::event::{Call, ConnectionEvent, Disconnect, LogoutReason, PermanentCause, Queued, ReceiptStep};
use crate::history::HistoryPart;
use crate::inbound::{self, InboundSink};
use crate::socket::Gate;
use crate::store::SignalState;

/// The events that are listened to. Everything else the library does not even build.
const KINDS: &[EventKind] = &[
    EventKind::ClientOutdated,
    EventKind::ConnectFailure,
    EventKind::Connected,
    EventKind::Disconnected,
    EventKind::HistorySync,
    EventKind::IncomingCall,
    EventKind::LoggedOut,
    EventKind::Messages,
    EventKind::MissedCall,
    EventKind::PairError,
    EventKind::PairPasskeyRequest,
    EventKind::PairSuccess,
    EventKind::PairingQrCode,
    EventKind::PairingQrCodesExhausted,
    EventKind::QrScannedWithoutMultidevice,
    EventKind::Receipt,
    EventKind::SelfPushNameUpdated,
    EventKind::ServerAck,
    EventKind::StreamError,
    EventKind::StreamReplaced,
    EventKind::TemporaryBan,
    EventKind::UndecryptableMessage,
];

/// How long the library may take to finish a link after the server asked for a new socket.
const PAIRING_TIMEOUT: Duration = Duration::from_secs(5);

/// What the parts of one connection have in common.
pub(crate) struct Shared {
    pub(crate) sink: Arc<dyn InboundSink>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) clock: Arc<dyn Clock>,
    commit_budget: Duration,
    state: SignalState,
    client: OnceLock<Weak<Client>>,
    /// Why the current run ends, as far as it is known.
    end: Mutex<Option<Disconnect>>,
    /// The phone linked this device during the current run, and the server asks for a new socket (515).
    paired: watch::Sender<bool>,
    /// The device was linked when the current run began.
    was_linked: AtomicBool,
    /// A message could not be committed in the current run.
    stalled: AtomicBool,
}

impl Shared {
    pub(crate) fn new(
        state: SignalState,
        sink: Arc<dyn InboundSink>,
        clock: Arc<dyn Clock>,
        gate: Arc<Gate>,
        commit_budget: Duration,
    ) -> Self {
        let (client, end, paired) = (OnceLock::new(), Mutex::new(None), watch::Sender::new(false));
        let (was_linked, stalled) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { sink, gate, clock, commit_budget, state, client, end, paired, was_linked, stalled }
    }

    pub(crate) fn set_client(&self, client: &Arc<Client>) {
        // Set once, by the connector that built it.
        let _ = self.client.set(Arc::downgrade(client));
    }

    /// By when an inbound message that comes now has to be committed.
    pub(crate) fn commit_deadline(&self) -> Instant {
        Instant::now() + self.commit_budget
    }

    pub(crate) fn state(&self) -> &SignalState {
        &self.state
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }

    /// The account, once it is linked.
    pub(crate) fn me(&self) -> Option<Person> {
        let client = self.client.get().and_then(Weak::upgrade)?;
        let name = Some(client.push_name()).filter(|name| !name.is_empty());
        let (phone, lid) = (client.pn(), client.lid());
        let jid = phone.as_ref().or(lid.as_ref())?;
        convert::person(jid, lid.as_ref(), &self.state).map(|person| person.named(name))
    }

    /// Notes why the run ends. The first permanent cause stays.
    pub(crate) fn note_end(&self, reason: Disconnect) {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = end.as_ref().is_some_and(|known| !known.is_transient() || reason.is_transient());
        if !settled {
            *end = Some(reason);
        }
    }

    /// Drops the socket, and takes no message before the next one; connecting again helps.
    pub(crate) fn stall(&self, reason: String) {
        self.stalled.store(true, Ordering::Release);
        self.note_end(Disconnect::Transient(reason));
        self.gate.cut();
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Acquire)
    }

    pub(crate) fn begin_run(&self) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.stalled.store(false, Ordering::Release);
        self.paired.send_replace(false);
        self.was_linked.store(self.is_linked(), Ordering::Release);
    }

    fn is_linked(&self) -> bool {
        self.client.get().and_then(Weak::upgrade).is_some_and(|client| client.pn().is_some())
    }

    /// True once after a run in which the phone linked this device, if nothing else ended it.
    pub(crate) async fn restarts_after_pairing(&self) -> bool {
        let ended = self.end.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if ended || !self.is_linked() || self.was_linked.swap(true, Ordering::AcqRel) {
            return false;
        }
        // The new socket may be asked for while the library is still busy with the link. It marks the connection as
        // one that ends on purpose when it is done, and must not do so to the next one.
        let mut paired = self.paired.subscribe();
        tokio::time::timeout(PAIRING_TIMEOUT, paired.wait_for(|paired| *paired))
            .await
            .is_ok_and(|told| told.is_ok())
    }

    pub(crate) fn take_end(&self) -> Disconnect {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (end, self.gate.take_failure()) {
            (Some(end), _) => end,
            (None, Some(failure)) => Disconnect::Unreachable(failure),
            (None, None) => Disconnect::Transient("the connection was closed".to_owned()),
        }
    }

    /// What the library's event means for the run, before anybody reads it.
    fn note(&self, event: &Event) {
        let permanent = |cause| self.note_end(Disconnect::Permanent(cause));
        match event {
            Event::PairSuccess(_) => drop(self.paired.send_replace(true)),
            Event::PairingQrCodesExhausted(end) if end.disconnected => permanent(PermanentCause::QrExhausted),
            Event::LoggedOut(_) => permanent(PermanentCause::LoggedOut),
            Event::StreamReplaced(_) => permanent(PermanentCause::Replaced),
            Event::ClientOutdated(_) => permanent(PermanentCause::ClientOutdated),
            Event::TemporaryBan(_) => permanent(PermanentCause::Restricted),
            Event::ConnectFailure(failure) if !failure.reason.should_reconnect() => {
                permanent(PermanentCause::Refused(format!("{:?}", failure.reason)));
            },
            Event::ConnectFailure(failure) => {
                self.note_end(Disconnect::Transient(format!("refused: {:?}", failure.reason)));
            },
            Event::Disconnected(lost) => self.note_end(Disconnect::Transient(lost.reason.to_string())),
            Event::StreamError(error) => tracing::debug!(code = error.code, "stream error"),
            _ => {},
        }
    }

    /// The library's event in our words; nothing where it says nothing to the caller.
    pub(crate) async fn tell(&self, event: &Event) -> Vec<ConnectionEvent> {
        match event {
            Event::Messages(batch) if !batch.hook_committed => self.commit_unheld(batch).await,
            Event::PairSuccess(_) => {
                // The caller may show the session as linked, so it has to survive a crash from here on.
                if let Some(client) = self.client.get().and_then(Weak::upgrade)
                    && let Err(error) = client.persistence_manager().flush().await
                {
                    tracing::warn!(%error, "the linked identity could not be saved");
                }
                self.tell_now(event).into_iter().collect()
            },
            other => self.tell_now(other).into_iter().collect(),
        }
    }

    /// Messages that the network does not hold back for us until they are committed.
    async fn commit_unheld(&self, batch: &MessageBatch) -> Vec<ConnectionEvent> {
        let deadline = self.commit_deadline();
        let mut lost = Vec::new();
        for message in batch {
            if let Err(error) = inbound::commit(self, message, deadline).await {
                lost.push(ConnectionEvent::InboundLost {
                    whatsapp_id: message.info.id.clone(),
                    reason: error.to_string(),
                });
            }
        }
        lost
    }

    fn tell_now(&self, event: &Event) -> Option<ConnectionEvent> {
        Some(match event {
            Event::PairingQrCode(qr) => ConnectionEvent::Qr { code: qr.code.clone(), ttl: qr.timeout },
            Event::PairingQrCodesExhausted(end) => {
                ConnectionEvent::QrExhausted { code_outstanding: !end.disconnected }
            },
            Event::PairSuccess(pair) => {
                let me = convert::person(&pair.id, Some(&pair.lid), &self.state)?;
                let name = Some(pair.business_name.clone()).filter(|name| !name.is_empty());
                ConnectionEvent::Paired { me: me.named(name), platform: pair.platform.clone() }
            },
            Event::PairError(error) => ConnectionEvent::PairError { reason: error.error.clone() },
            Event::PairPasskeyRequest(passkey) => {
                ConnectionEvent::PasskeyRequired { request: passkey.request_options_json.clone() }
            },
            Event::QrScannedWithoutMultidevice(_) => ConnectionEvent::PhoneUnsupported,
            Event::Connected(_) => ConnectionEvent::Connected { me: self.me()? },
            Event::LoggedOut(out) => ConnectionEvent::LoggedOut { reason: logout_reason(out.reason) },
            Event::StreamReplaced(_) => ConnectionEvent::Replaced,
            Event::ClientOutdated(_) => ConnectionEvent::ClientOutdated,
            Event::TemporaryBan(ban) => ConnectionEvent::Restricted {
                until: self.clock.now().saturating_add(whole_seconds(ban.expire.num_seconds())).ok()?,
                code: ban.code.code(),
                message: ban.message.clone(),
            },
            Event::ServerAck(ack) if ack.class.as_deref() == Some("message") => ConnectionEvent::ServerAck {
                whatsapp_id: ack.id.clone(),
                at: ack.timestamp.and_then(|at| Timestamp::from_millisecond(at.timestamp_millis()).ok()),
                error: ack.error.clone(),
            },
            Event::Receipt(receipt) => return self.tell_receipt(receipt),
            Event::UndecryptableMessage(message) => {
                let (chat, from) = convert::parties(&message.info.source, &self.state)?;
                let at = convert::server_time(&message.info)?;
                ConnectionEvent::Undecryptable { whatsapp_id: message.info.id.clone(), chat, from, at }
            },
            Event::IncomingCall(call) => ConnectionEvent::Called(self.call(call)?),
            Event::MissedCall(call) => ConnectionEvent::Called(Call {
                call_id: call.call_id.clone(),
                from: convert::person(&call.from, None, &self.state)?,
                group: None,
                video: false,
                missed: true,
                at: Timestamp::from_second(call.timestamp.timestamp()).ok()?,
                answer_to: None,
            }),
            Event::HistorySync(part) => ConnectionEvent::History(HistoryPart::new(part)),
            Event::SelfPushNameUpdated(name) => ConnectionEvent::NameChanged { name: name.new_name.clone() },
            _ => return None,
        })
    }

    /// A call that rings; what else is said about calls is for those that take part in them.
    fn call(&self, call: &IncomingCall) -> Option<Call> {
        let CallAction::Offer { call_id, call_creator, caller_pn, is_video, group_jid, .. } = &call.action
        else {
            return None;
        };
        let group = group_jid.as_ref().and_then(|group| convert::person(group, None, &self.state));
        Some(Call {
            call_id: call_id.clone(),
            from: convert::person(call_creator, caller_pn.as_ref(), &self.state)?,
            group,
            video: *is_video,
            missed: false,
            at: Timestamp::from_second(call.timestamp.timestamp()).ok()?,
            answer_to: Some(Box::new((call.from.clone(), call_creator.clone()))),
        })
    }

    fn tell_receipt(&self, receipt: &whatsapp_rust::types::events::Receipt) -> Option<ConnectionEvent> {
        let step = match receipt.r#type {
            ReceiptType::Delivered => ReceiptStep::Delivered,
            ReceiptType::Read => ReceiptStep::Read,
            ReceiptType::Played => ReceiptStep::Played,
            // Retries, our own devices' receipts, and what is no step of a message.
            _ => return None,
        };
        let (chat, from) = convert::parties(&receipt.source, &self.state)?;
        let at = Timestamp::from_millisecond(receipt.timestamp.timestamp_millis()).ok()?;
        Some(ConnectionEvent::Receipt { whatsapp_ids: receipt.message_ids.clone(), chat, from, step, at })
    }
}

fn whole_seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn logout_reason(reason: ConnectFailureReason) -> LogoutReason {
    match reason {
        ConnectFailureReason::LoggedOut => LogoutReason::Unlinked,
        ConnectFailureReason::AccountLocked => LogoutReason::AccountLocked,
        other => LogoutReason::Other(format!("{other:?}")),
    }
}

/// The handler on the library's bus: notes what ends the run, and queues. Never blocks the receive path.
pub(crate) struct Relay {
    pub(crate) queue: mpsc::Sender<Queued>,
    pub(crate) shared: Arc<Shared>,
}

impl EventHandler for Relay {
    fn handle_event(&self, event: Arc<Event>) {
        self.shared.note(&event);
        if matches!(&*event, Event::Messages(batch) if batch.hook_committed) {
            return;
        }
        if self.queue.try_send(Queued::Library(event)).is_err() && !self.shared.is_closed() {
            // Nothing is dropped silently: this event is lost, so the session ends and says so.
            tracing::error!(
                limit = self.queue.max_capacity(),
                "the event queue is full, closing the session"
            );
            self.shared.note_end(Disconnect::Permanent(PermanentCause::Overflow));
            self.shared.gate.close();
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(KINDS)
    }
}
