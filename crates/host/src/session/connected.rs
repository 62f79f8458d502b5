//! What a session does while a connection runs.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use waxwing_app::{ports::PortError, views::Wanted};
use waxwing_domain::{
    Person, Timestamp,
    message::{ReceiptStep, RecordReceipt},
    session::SessionStatus,
};
use waxwing_whatsapp::{
    Connection, ConnectionEvent, Disconnect, PermanentCause, ReceiptStep as Step, SendError,
};

use super::{
    CONNECTION_LOST, NETWORK_UNREACHABLE, OUTDATED, Open, PROXY_UNREACHABLE, Poke, QR_EXHAUSTED, REPLACED,
    Session,
    asked::AFTER_NAME,
    fenced, logout_reason,
    probe::Probe,
    sending::{NotSent, send},
};
use crate::{lanes::Outcome, outbox};

/// The time of the last frame is written at one of so many looks while nothing else happens.
const LOOKS_UNTIL_HEARD: u32 = 6;
/// How long a connection has to last before a drop is taken for an accident.
const STABLE: Duration = Duration::from_secs(60);
/// How long a code to type in lasts at most.
pub(super) const CODE_LASTS: Duration = Duration::from_secs(180);
/// Results of sends that may wait to be looked at.
const SENDS_MAX: usize = 64;

/// Why a run ended.
pub(super) enum Ended {
    /// It dropped; another connect helps.
    Dropped {
        /// For programs.
        reason: &'static str,
        /// For people.
        detail: String,
    },
    /// Something else is wished for.
    Wish,
    /// The session should unlink itself.
    LogoutWish,
    /// The host may no longer hold sessions: nothing is written any more.
    Fenced,
    /// The host stops.
    HostStops,
    /// It cannot go on by itself.
    Over(Over),
    /// The state has to be claimed anew.
    Reopen,
}

/// How a session came to rest.
#[derive(Debug, Clone)]
pub(super) struct Over {
    pub(super) status: SessionStatus,
    /// For programs.
    pub(super) reason: Option<String>,
    /// Until when WhatsApp restricts the account.
    pub(super) until: Option<Timestamp>,
}

impl Over {
    pub(super) fn new(status: SessionStatus, reason: Option<String>) -> Self {
        Self { status, reason, until: None }
    }

    pub(super) fn because(status: SessionStatus, reason: &str) -> Self {
        Self::new(status, Some(reason.to_owned()))
    }

    pub(super) fn is(&self, reason: &str) -> bool {
        self.reason.as_deref() == Some(reason)
    }
}

/// How a send ended, before WhatsApp said anything.
struct SendResult {
    whatsapp_id: String,
    result: Result<(), NotSent>,
}

/// State of one run.
pub(super) struct Run {
    pub(super) connected: bool,
    connected_at: Option<Instant>,
    /// The status that a permanent end will have, told by an event before it.
    over: Option<Over>,
    /// A code to scan is shown.
    pub(super) showing: bool,
    /// Nobody can link the session any more from then on: only a code to type in is left.
    pub(super) codes_end_at: Option<Instant>,
    sends: mpsc::Sender<SendResult>,
    look_at: Instant,
    looks: u32,
    /// Whether the network was asked for a sign of life, and what came of it.
    pub(super) probe: Probe,
}

impl Session {
    /// Follows a run to its end.
    pub(super) async fn follow(&mut self, open: &mut Open) -> Result<Ended, PortError> {
        self.pass_on_settings(open);
        let (sends, mut sent) = mpsc::channel(SENDS_MAX);
        let now = Instant::now();
        let mut run = Run {
            connected: false,
            connected_at: None,
            over: None,
            showing: false,
            codes_end_at: None,
            sends,
            look_at: now + self.shared.settings.look,
            looks: 0,
            probe: Probe::default(),
        };
        loop {
            let grace = self.dropped_at.filter(|_| !run.connected).map(|at| at + self.shared.settings.grace);
            let outbox = self.outbox.wake_at(Instant::now()).filter(|_| run.connected);
            let wake = [outbox, grace, self.silent_at(open, &run), run.codes_end_at].into_iter().flatten();
            let wake = wake.fold(run.look_at, Instant::min);
            tokio::select! {
                biased;
                _ = self.stop.changed() => return Ok(Ended::HostStops),
                () = fenced(&mut self.alive) => return Ok(Ended::Fenced),
                event = open.events.recv() => match event {
                    None => return Ok(Ended::Reopen),
                    Some(event) => if let Some(ended) = self.on_event(event, open, &mut run).await? {
                        return Ok(ended);
                    },
                },
                Some(result) = sent.recv() => self.on_send_result(result).await,
                answered = run.probe.answered() => if !answered {
                    self.live.deaf(open.connection.last_frame_at()).await;
                    return Ok(Ended::Reopen);
                },
                Some(message) = open.to_read.recv() => self.mark_read(open, message),
                imported = self.import.done() => self.on_imported(imported),
                poke = self.pokes.recv() => match poke {
                    None => return Ok(Ended::HostStops),
                    Some(Poke::PairingCode(phone, reply)) => self.on_pairing_code(open, &mut run, phone, reply),
                    Some(Poke::Outbox) => self.on_outbox_poke(&run).await?,
                    Some(Poke::Wish) => if let Some(ended) = self.on_wish(open).await? {
                        return Ok(ended);
                    },
                },
                () = sleep_until(wake) => if let Some(ended) = self.on_timer(open, &mut run).await? {
                    return Ok(ended);
                },
            }
            if run.connected {
                self.go_on_importing(open).await;
                self.pump(&open.connection, &run.sends).await?;
            }
        }
    }

    async fn on_wish(&mut self, open: &Open) -> Result<Option<Ended>, PortError> {
        let was_online = open.sink.is_always_online();
        self.look().await?;
        self.pass_on_settings(open);
        Ok(match self.view.as_ref().map(|view| view.wanted) {
            Some(Wanted::LoggedOut) => Some(Ended::LogoutWish),
            _ if self.still_wanted(open.generation) => {
                if was_online != open.sink.is_always_online() {
                    self.show_presence(open, Duration::ZERO);
                }
                None
            },
            _ => Some(Ended::Wish),
        })
    }

    /// What was wished for while nobody looked counts for what comes now.
    fn pass_on_settings(&self, open: &Open) {
        if let Some(view) = &self.view {
            open.sink.set_settings(&view.settings);
            open.connection.take_history(view.settings.import_history);
        }
    }

    async fn on_timer(&mut self, open: &Open, run: &mut Run) -> Result<Option<Ended>, PortError> {
        let now = Instant::now();
        if !run.connected {
            self.report_long_drop().await?;
        }
        if run.codes_end_at.is_some_and(|at| at <= now) {
            return Ok(Some(Ended::Over(Over::because(SessionStatus::Stopped, QR_EXHAUSTED))));
        }
        self.outbox.time_out(now);
        if self.silent_at(open, run).is_some_and(|at| at <= Instant::now()) {
            run.probe.ask(&open.connection, self.shared.settings.answer);
        }
        if now >= run.look_at {
            run.look_at = now + self.shared.settings.look;
            self.read_outbox().await?;
            self.clear().await;
            self.expire().await;
            self.import.try_again();
            self.live.count(open.connection.last_frame_at());
            run.looks += 1;
            if run.looks.is_multiple_of(LOOKS_UNTIL_HEARD) {
                self.live.heard(open.connection.last_frame_at()).await;
            }
            return self.on_wish(open).await;
        }
        Ok(None)
    }

    async fn on_outbox_poke(&mut self, run: &Run) -> Result<(), PortError> {
        match run.connected {
            true => self.read_outbox_on().await,
            false => Ok(()),
        }
    }

    /// Sends what may go next, each in a task of its own: encrypting a first message asks the network for keys.
    async fn pump(
        &mut self,
        connection: &Arc<Connection>,
        sends: &mpsc::Sender<SendResult>,
    ) -> Result<(), PortError> {
        if self.outbox.wants_reading() {
            self.read_outbox().await?;
        } else if self.outbox.wants_more() {
            self.read_outbox_on().await?;
        }
        let clock = self.shared.ports.clock.now();
        for open in self.outbox.next(Instant::now(), clock) {
            // Weak: a send that hangs must not keep a connection that is over.
            let (connection, sends, row) = (Arc::downgrade(connection), sends.clone(), open.row);
            let (ports, account) = (self.shared.ports.commands.clone(), self.account);
            tokio::spawn(async move {
                let whatsapp_id = row.whatsapp_id.clone();
                let result = send(&ports, account, &connection, row).await;
                let _ = sends.send(SendResult { whatsapp_id, result }).await;
            });
        }
        Ok(())
    }

    async fn on_send_result(&mut self, SendResult { whatsapp_id, result }: SendResult) {
        let error = match result {
            Ok(()) => return,
            Err(NotSent::Over) => {
                if let Some(taken) = self.outbox.refused(&whatsapp_id) {
                    let outcome = Outcome::Over { sent: taken.sent, open_row: taken.key };
                    self.shared.lanes.record(self.account, &whatsapp_id, outcome).await;
                }
                return;
            },
            Err(NotSent::Failed(SendError::Invalid(reason))) => {
                return self.refused(&whatsapp_id, "invalid_message", reason).await;
            },
            Err(NotSent::Failed(error)) => error.to_string(),
            Err(NotSent::Unknown(error)) => error.to_string(),
        };
        tracing::debug!(session = %self.id, error, "a send is tried again");
        self.outbox.not_sent(&whatsapp_id, Instant::now());
    }

    async fn refused(&mut self, whatsapp_id: &str, code: &'static str, detail: String) {
        if let Some(taken) = self.outbox.refused(whatsapp_id) {
            let outcome = Outcome::Failed { sent: taken.sent, open_row: taken.key, code, detail };
            self.shared.lanes.record(self.account, whatsapp_id, outcome).await;
        }
    }

    pub(super) async fn expire(&mut self) {
        for open in self.outbox.take_expired(self.shared.ports.clock.now()) {
            let whatsapp_id = open.row.whatsapp_id.clone();
            let outbox::Taken { key, sent } = open.into();
            let outcome = Outcome::Expired { sent, open_row: key };
            self.shared.lanes.record(self.account, &whatsapp_id, outcome).await;
        }
    }

    /// What the network says of messages. It counts also while the connection is being closed.
    pub(super) async fn on_message_event(&mut self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::ServerAck { whatsapp_id, error: None, .. } => {
                self.on_server_ack(&whatsapp_id).await
            },
            ConnectionEvent::ServerAck { whatsapp_id, error: Some(code), .. } => {
                self.on_refusal(&whatsapp_id, &code).await;
            },
            ConnectionEvent::Receipt { whatsapp_ids, chat, from, step, at } => {
                for id in whatsapp_ids {
                    self.on_receipt(id, &chat, &from, step, at).await;
                }
            },
            // The network does not say it again, either.
            ConnectionEvent::History(part) => self.keep_history(part).await,
            ConnectionEvent::Called(call) => self.on_call(None, call),
            _ => {},
        }
    }

    async fn on_refusal(&mut self, whatsapp_id: &str, code: &str) {
        let detail = format!("WhatsApp refused the message with code {code}.");
        self.refused(whatsapp_id, "rejected_by_whatsapp", detail).await;
    }

    async fn on_event(
        &mut self,
        event: ConnectionEvent,
        open: &Open,
        run: &mut Run,
    ) -> Result<Option<Ended>, PortError> {
        use ConnectionEvent as E;
        match event {
            E::Qr { code, ttl } => {
                run.showing = true;
                self.show_qr(code, ttl).await;
            },
            E::Paired { me, platform } => {
                // The login is on its way: no end of the codes may stop it.
                (run.showing, run.codes_end_at) = (false, None);
                self.on_paired(open, me, platform).await?;
            },
            E::Connected { me } => self.on_connected(open, run, me).await?,
            E::ServerAck { .. } | E::Receipt { .. } | E::History(_) => self.on_message_event(event).await,
            E::PasskeyRequired { .. } => {
                // Until the next code: another phone, or one without a passkey, may scan it.
                self.live.say(SessionStatus::PasskeyRequired, Some("passkey_not_supported"), None).await;
            },
            E::PairError { reason } => tracing::warn!(session = %self.id, reason, "pairing failed"),
            E::PhoneUnsupported => tracing::warn!(session = %self.id, "the phone cannot link devices"),
            E::InboundLost { reason, .. } => {
                tracing::error!(session = %self.id, reason, "a message of a channel was lost");
            },
            E::QrExhausted { code_outstanding: false } => {
                run.over = Some(Over::because(SessionStatus::Stopped, QR_EXHAUSTED));
            },
            E::QrExhausted { code_outstanding: true } => {
                self.live.say(SessionStatus::Pairing, None, None).await;
                run.codes_end_at = Some(Instant::now() + CODE_LASTS);
            },
            E::Called(call) => self.on_call(Some(open.connection.clone()), call),
            E::LoggedOut { reason } => {
                run.over = Some(Over::new(SessionStatus::LoggedOut, Some(logout_reason(&reason))))
            },
            E::Replaced => run.over = Some(Over::because(SessionStatus::Failed, REPLACED)),
            E::ClientOutdated => run.over = Some(Over::because(SessionStatus::ClientOutdated, OUTDATED)),
            E::Restricted { until, code, .. } => {
                let over = Over::new(SessionStatus::Restricted, Some(format!("restricted_{code}")));
                run.over = Some(Over { until: Some(until), ..over });
            },
            E::Overflow { limit } => tracing::error!(session = %self.id, limit, "too many events waited"),
            E::Poisoned { reason } => {
                tracing::error!(session = %self.id, %reason, "the Signal state is poisoned")
            },
            // The client says online whenever the name changes.
            E::NameChanged { .. } => self.show_presence(open, AFTER_NAME),
            E::Undecryptable { .. } => {},
            E::Disconnected { reason } => return Ok(Some(self.on_disconnected(reason, run))),
        }
        Ok(None)
    }

    fn on_disconnected(&mut self, reason: Disconnect, run: &mut Run) -> Ended {
        if let Some(at) = run.connected_at {
            self.dropped_at = Some(Instant::now());
            // One that drops right after each login is slowed down as if it had never connected.
            if at.elapsed() > STABLE {
                self.failures = 0;
            }
        }
        let reason = match (reason, run.over.take()) {
            (Disconnect::Transient(detail), None) => {
                return Ended::Dropped { reason: CONNECTION_LOST, detail };
            },
            (Disconnect::Unreachable(detail), None) => {
                let proxied = self.view.as_ref().is_some_and(|view| view.settings.proxy.is_some());
                let reason = if proxied { PROXY_UNREACHABLE } else { NETWORK_UNREACHABLE };
                return Ended::Dropped { reason, detail };
            },
            (_, Some(over)) => return Ended::Over(over),
            (Disconnect::Permanent(cause), None) => cause,
        };
        Ended::Over(match reason {
            PermanentCause::LoggedOut => Over::because(SessionStatus::LoggedOut, "unlinked"),
            PermanentCause::QrExhausted => Over::because(SessionStatus::Stopped, QR_EXHAUSTED),
            PermanentCause::Replaced => Over::because(SessionStatus::Failed, REPLACED),
            PermanentCause::ClientOutdated => Over::because(SessionStatus::ClientOutdated, OUTDATED),
            PermanentCause::Restricted => Over::new(SessionStatus::Restricted, None),
            PermanentCause::Refused(reason) => {
                Over::new(SessionStatus::Failed, Some(format!("refused: {reason}")))
            },
            PermanentCause::Overflow | PermanentCause::Poisoned | PermanentCause::Closed => {
                return Ended::Reopen;
            },
        })
    }

    async fn on_paired(&mut self, open: &Open, me: Person, platform: String) -> Result<(), PortError> {
        open.sink.set_me(me.clone());
        self.me = Some(me.jid.clone());
        self.live.say(SessionStatus::Connecting, Some("paired"), None).await;
        let at = self.shared.ports.clock.now();
        self.shared.outcomes.paired(self.account, self.id, me, platform, at).await
    }

    async fn on_connected(&mut self, open: &Open, run: &mut Run, me: Person) -> Result<(), PortError> {
        open.sink.set_me(me.clone());
        self.me = Some(me.jid.clone());
        (run.connected, run.showing, run.codes_end_at) = (true, false, None);
        run.connected_at = Some(Instant::now());
        self.dropped_at = None;
        tracing::info!(session = %self.id, "the session is connected");
        // In case the first telling was lost; the session knows whether it is news.
        let at = self.shared.ports.clock.now();
        self.shared.outcomes.paired(self.account, self.id, me, "unknown".to_owned(), at).await?;
        self.record_status(SessionStatus::Connected, None).await?;
        self.live.say(SessionStatus::Connected, None, None).await;
        self.live.heard(open.connection.last_frame_at()).await;
        if !open.sink.is_always_online() {
            self.show_presence(open, Duration::ZERO);
        }
        self.import.look();
        self.read_outbox().await?;
        self.expire().await;
        Ok(())
    }

    async fn on_server_ack(&mut self, whatsapp_id: &str) {
        if let Some(taken) = self.outbox.acknowledged(whatsapp_id) {
            let outcome = Outcome::Sent { sent: taken.sent, open_row: taken.key };
            self.shared.lanes.record(self.account, whatsapp_id, outcome).await;
        }
    }

    async fn on_receipt(&self, whatsapp_id: String, chat: &Person, from: &Person, step: Step, at: Timestamp) {
        if self.outbox.is_operation(&whatsapp_id) {
            return;
        }
        let step = match step {
            Step::Delivered => ReceiptStep::Delivered,
            Step::Read => ReceiptStep::Read,
            Step::Played => ReceiptStep::Played,
        };
        let receipt = RecordReceipt { step, recipient: from.clone(), at };
        let outcome = Outcome::Receipt {
            session: self.id,
            whatsapp_id: whatsapp_id.clone(),
            chat: chat.clone(),
            receipt,
        };
        self.shared.lanes.record(self.account, &whatsapp_id, outcome).await;
    }
}
