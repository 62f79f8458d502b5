//! One session: follows the wish in its row, keeps the connection, sends what is in the outbox, records what comes back.

mod asked;
mod connected;
mod ending;
mod import;
mod place;
mod probe;
mod reading;
mod sending;
mod waiting;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::Instant,
};
use waxwing_app::{
    commands::{Outcomes, SeenStatus},
    keys,
    ports::{PairingCode, PairingCodeError, PortError},
    rows,
    views::{SessionView, Wanted},
};
use waxwing_domain::{
    AccountId, Jid, Network, PhoneNumber, SessionId,
    session::{Session as SessionAggregate, SessionStatus},
};
use waxwing_whatsapp::{Connection, ConnectionEvents, LogoutReason, SessionSettings, SignalState};

use crate::{
    admission::{Admission, backoff},
    census::Sessions,
    inbound::{JournalSink, ToRead},
    lanes::Lanes,
    live::Live,
    members::Members,
    outbox::Outbox,
    supervisor::{HostPorts, HostSettings},
};
use connected::{Ended, Over};
use import::Import;
use place::{LET_GO_LOOK, Place};

/// What a session is told from outside.
#[derive(Debug)]
pub(crate) enum Poke {
    /// The wish changed.
    Wish,
    /// The outbox has new rows.
    Outbox,
    /// A code is wanted with which the phone of this number links it. A session that shows no codes lets go of it.
    PairingCode(PhoneNumber, oneshot::Sender<Result<PairingCode, PairingCodeError>>),
}

/// How long logging out on the server may take.
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a session that ends waits for the network's word on what it sent.
const HEAR_OUT: Duration = Duration::from_secs(1);
/// The reason of a session that waits because the client is too old.
const OUTDATED: &str = "client_outdated";
/// The reason of a session whose connection dropped.
const CONNECTION_LOST: &str = "connection_lost";
/// The reasons of a session for which no connection can be made.
const NETWORK_UNREACHABLE: &str = "network_unreachable";
const PROXY_UNREACHABLE: &str = "proxy_unreachable";
/// The reason of a session whose codes nobody used.
const QR_EXHAUSTED: &str = "qr_exhausted";
/// The reason of a session whose place another client took.
const REPLACED: &str = "replaced";
/// How the linked device is called on the phone when nothing else is said.
const DEVICE_NAME: &str = "Waxwing";

/// What all sessions of a host share.
pub(crate) struct Shared {
    pub(crate) ports: HostPorts,
    pub(crate) settings: HostSettings,
    pub(crate) outcomes: Outcomes,
    pub(crate) lanes: Lanes,
    pub(crate) admission: Arc<Admission>,
    /// Bounds how many sessions go to other hosts each second.
    pub(crate) leaving: Admission,
    pub(crate) members: Arc<Members>,
    /// Bounds how many sessions import history at a time.
    pub(crate) imports: Semaphore,
    /// What each of them is doing.
    pub(crate) sessions: Sessions,
    /// Whether sessions may be held.
    pub(crate) alive: watch::Receiver<bool>,
}

/// Ends when the host may no longer hold sessions.
async fn fenced(alive: &mut watch::Receiver<bool>) {
    if alive.wait_for(|alive| !alive).await.is_err() {
        // A host that is alone is never fenced.
        std::future::pending().await
    }
}

/// Ends when the host may hold sessions and could not, or the other way round.
async fn turned(alive: &mut watch::Receiver<bool>) {
    let was = *alive.borrow_and_update();
    if alive.wait_for(|now| *now != was).await.is_err() {
        // A host that is alone may always.
        std::future::pending().await
    }
}

/// The task of one session.
pub(crate) struct Session {
    shared: Arc<Shared>,
    account: AccountId,
    id: SessionId,
    pokes: mpsc::Receiver<Poke>,
    stop: watch::Receiver<bool>,
    alive: watch::Receiver<bool>,
    live: Live,
    outbox: Outbox,
    /// Signal state, while it is held.
    state: Option<SignalState>,
    /// Who is linked, as the connection said.
    me: Option<Jid>,
    /// The wish that was last read.
    view: Option<SessionView>,
    failures: u32,
    /// Since when a session that was connected is not; what is shorter than the grace is no news.
    dropped_at: Option<Instant>,
    /// Why it is not, for programs.
    drop_reason: &'static str,
    /// The part of the history that is being imported.
    import: Import,
    /// The Signal state was erased and nothing was made since.
    forgotten: bool,
    /// The network refused this version of the client.
    outdated: bool,
}

/// An open connection with what belongs to it.
pub(crate) struct Open {
    connection: Arc<Connection>,
    events: ConnectionEvents,
    sink: Arc<JournalSink>,
    /// Messages to mark as read.
    to_read: mpsc::Receiver<ToRead>,
    generation: u64,
}

impl Session {
    pub(crate) fn new(
        shared: Arc<Shared>,
        account: AccountId,
        id: SessionId,
        pokes: mpsc::Receiver<Poke>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let live = Live::new(shared.ports.records.clone(), account, id, shared.sessions.clone());
        let alive = shared.alive.clone();
        let outbox = Outbox::new(shared.settings.settle);
        Self {
            shared,
            alive,
            account,
            id,
            pokes,
            stop,
            live,
            outbox,
            state: None,
            me: None,
            view: None,
            failures: 0,
            dropped_at: None,
            drop_reason: CONNECTION_LOST,
            import: Import::default(),
            forgotten: false,
            outdated: false,
        }
    }

    /// Runs until the host stops or the session is deleted.
    pub(crate) async fn run(mut self) {
        while !*self.stop.borrow() {
            match self.place().await {
                Ok(Place::Here) => {},
                Ok(Place::HereLater) => {
                    self.state = None;
                    self.wait(LET_GO_LOOK).await;
                    continue;
                },
                Ok(Place::Elsewhere) => match self.let_go().await {
                    Ok(()) => return self.pass_on_hints().await,
                    Err(error) => {
                        tracing::warn!(session = %self.id, %error, "the session is not let go yet");
                        self.wait(Duration::from_secs(1)).await;
                        continue;
                    },
                },
                Err(error) => {
                    tracing::warn!(session = %self.id, %error, "the session waits for the engine");
                    self.wait(Duration::from_secs(1)).await;
                    continue;
                },
            }
            let Some(view) = &self.view else {
                if let Err(error) = self.fail_what_is_left().await {
                    tracing::warn!(session = %self.id, %error, "a deleted session waits for the engine");
                    self.wait(Duration::from_secs(1)).await;
                    continue;
                }
                return;
            };
            let done = match view.wanted {
                Wanted::Running => self.run_wanted().await,
                Wanted::Stopped => self.stand_still().await,
                Wanted::LoggedOut => self.log_out().await,
                Wanted::Deleted => match self.delete().await {
                    Ok(()) => return,
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = done {
                tracing::warn!(session = %self.id, %error, "the session waits");
                self.wait(backoff(self.failures, &*self.shared.ports.entropy)).await;
                self.failures = self.failures.saturating_add(1);
            }
        }
        if let Err(error) = self.let_go().await {
            tracing::warn!(session = %self.id, %error, "the next host waits until this one is gone");
        }
    }

    /// Reads the wish.
    async fn look(&mut self) -> Result<(), PortError> {
        let key = keys::hosted_session(self.account, self.id);
        self.view = rows::get(&*self.shared.ports.records, &key).await?;
        Ok(())
    }

    /// Waits for a hint, the host's stop, or some time.
    async fn wait(&mut self, at_most: Duration) {
        tokio::select! {
            _ = self.pokes.recv() => {}
            _ = self.stop.changed() => {}
            () = turned(&mut self.alive) => {}
            () = tokio::time::sleep(at_most) => {}
        }
    }

    async fn stand_still(&mut self) -> Result<(), PortError> {
        self.state = None;
        let view = self.view.clone();
        let (status, reason) = view.map_or((SessionStatus::Stopped, None), |view| (view.status, view.reason));
        let shown = match status.is_at_rest() {
            true => status,
            false => SessionStatus::Stopped,
        };
        if status != shown {
            self.record_status(shown, None).await?;
        }
        self.live.say(shown, reason.as_deref(), None).await;
        self.dropped_at = None;
        self.read_outbox().await?;
        self.expire().await;
        self.wait(self.shared.settings.look).await;
        Ok(())
    }

    async fn open(&mut self, view: &SessionView) -> Result<Open, PortError> {
        let state = self.claim().await?;
        let (sink, to_read) = JournalSink::new(&self.shared, (self.account, self.id), view);
        let device_name = view.settings.device_name.clone().unwrap_or_else(|| DEVICE_NAME.to_owned());
        let mut settings = SessionSettings::new(view.network, device_name.clone());
        // Without a name the client waits ten seconds at each login for the phone to tell one. The phone's word replaces it.
        settings.proxy = match &view.settings.proxy {
            // The row does not hold its password.
            Some(_) => {
                let commands = &self.shared.ports.commands;
                let (session, _) =
                    commands.load::<SessionAggregate>(self.account, &self.id.to_string()).await?;
                session.settings().proxy.clone()
            },
            None => None,
        };
        settings.skip_history = !view.settings.import_history;
        settings.push_name = Some(view.me.as_ref().and_then(|me| me.name.clone()).unwrap_or(device_name));
        self.forgotten = false;
        let opened = self.shared.ports.connector.open(state, settings, sink.clone()).await;
        let (connection, events) = opened.map_err(|error| PortError::Unavailable(error.to_string()))?;
        let connection = Arc::new(connection);
        Ok(Open { connection, events, sink, to_read, generation: view.generation })
    }

    /// Connects, and again after each drop, until the wish changes.
    async fn run_wanted(&mut self) -> Result<(), PortError> {
        let Some(view) = self.view.clone() else { return Ok(()) };
        if view.network != waxwing_whatsapp::NETWORK {
            return self.refuse_network(&view).await;
        }
        // Connected when the process last ended: that it is not now may become news.
        if view.status == SessionStatus::Connected {
            self.dropped_at.get_or_insert_with(Instant::now);
        }
        let status = match self.live.status() {
            Some(SessionStatus::Reconnecting) => SessionStatus::Reconnecting,
            _ => SessionStatus::Connecting,
        };
        self.live.say(status, None, None).await;
        if std::mem::take(&mut self.outdated) {
            // Who starts it anew has a reason to try.
            self.shared.admission.release();
        }
        if !self.admitted(view.generation).await? || !self.still_wanted(view.generation) {
            return Ok(());
        }
        // Its settings may have changed while it waited.
        let Some(view) = self.view.clone() else { return Ok(()) };
        let mut open = self.open(&view).await?;
        loop {
            let ended = self.run_once(&mut open).await;
            if matches!(ended, Ok(Ended::Wish | Ended::HostStops)) {
                self.hear_out(&mut open).await;
            }
            self.outbox.disconnected();
            let ended = match ended {
                Ok(ended) => ended,
                Err(error) => {
                    self.dropped_at.get_or_insert_with(Instant::now);
                    self.close(&mut open).await;
                    return Err(error);
                },
            };
            match ended {
                Ended::Dropped { reason, detail } => {
                    // Once for each time that it goes wrong: the tries that follow say the same.
                    match self.failures {
                        0 => tracing::info!(session = %self.id, reason, detail, "the connection dropped"),
                        _ => tracing::debug!(session = %self.id, reason, detail, "dropped again"),
                    }
                    self.drop_reason = reason;
                    let pause = backoff(self.failures, &*self.shared.ports.entropy);
                    self.failures = self.failures.saturating_add(1);
                    let goes_on = match self.pause_before_reconnect(pause, open.generation).await {
                        Ok(true) => self.admitted(open.generation).await,
                        other => other,
                    };
                    if !matches!(goes_on, Ok(true)) {
                        self.close(&mut open).await;
                        return goes_on.map(drop);
                    }
                },
                Ended::Wish | Ended::HostStops => {
                    self.close(&mut open).await;
                    return Ok(());
                },
                Ended::LogoutWish => {
                    let connection = open.connection.clone();
                    self.unlink_on(&connection).await;
                    self.close(&mut open).await;
                    return Ok(());
                },
                // The next host has the session already: that is no news of it.
                Ended::Over(over) if over.is(REPLACED) && !self.holds().await? => {
                    open.connection.abort();
                    self.state = None;
                    return Ok(());
                },
                Ended::Over(over) => {
                    self.close(&mut open).await;
                    return self.over(over).await;
                },
                Ended::Reopen | Ended::Fenced => {
                    if matches!(ended, Ended::Reopen) {
                        self.drain(&mut open).await;
                    }
                    open.connection.abort();
                    self.state = None;
                    return Ok(());
                },
            }
        }
    }

    async fn run_once(&mut self, open: &mut Open) -> Result<Ended, PortError> {
        match open.connection.connect() {
            Ok(()) => self.follow(open).await,
            Err(_) => Ok(Ended::Reopen),
        }
    }

    /// Waits for the network's word on what is on the wire: what has none when the connection ends is sent again.
    async fn hear_out(&mut self, open: &mut Open) {
        let hear = async {
            while !self.outbox.is_settled()
                && let Some(event) = open.events.recv().await
            {
                self.on_message_event(event).await;
            }
        };
        let _ = tokio::time::timeout(HEAR_OUT, hear).await;
    }

    /// Closes gracefully, and still listens to what the network says of messages: it is not said again.
    async fn close(&mut self, open: &mut Open) {
        let connection = open.connection.clone();
        let mut closing = std::pin::pin!(connection.close());
        loop {
            tokio::select! {
                biased;
                event = open.events.recv() => match event {
                    Some(event) => self.on_message_event(event).await,
                    None => break,
                },
                () = &mut closing => break,
            }
        }
        self.drain(open).await;
    }

    /// Takes what waits to be read.
    async fn drain(&mut self, open: &mut Open) {
        while let Ok(Some(event)) = tokio::time::timeout(Duration::ZERO, open.events.recv()).await {
            self.on_message_event(event).await;
        }
    }

    /// A sandbox build never speaks to WhatsApp, nor a live build to the sandbox.
    async fn refuse_network(&mut self, view: &SessionView) -> Result<(), PortError> {
        let reason = match view.network {
            Network::Sandbox => "needs_sandbox_build",
            Network::Whatsapp => "needs_live_build",
        };
        tracing::error!(session = %self.id, reason, "the session belongs to the other network");
        self.over(Over::because(SessionStatus::Failed, reason)).await
    }

    fn still_wanted(&self, generation: u64) -> bool {
        self.shared.members.is_home(self.id)
            && self
                .view
                .as_ref()
                .is_some_and(|view| view.wanted == Wanted::Running && view.generation == generation)
    }

    /// The session cannot go on by itself.
    async fn over(&mut self, Over { status, reason, until }: Over) -> Result<(), PortError> {
        self.record_status_until(status, reason.as_deref(), until).await?;
        self.live.say(status, reason.as_deref(), None).await;
        if status == SessionStatus::LoggedOut {
            self.forget_device().await?;
        }
        self.dropped_at = None;
        self.outdated = status == SessionStatus::ClientOutdated;
        if self.outdated && self.shared.admission.hold() {
            tracing::error!(
                "WhatsApp refuses this version of the client: no session connects for minutes; upgrade"
            );
        }
        self.wait_for_other_wish().await
    }

    /// The projection of what was just recorded may lag: until it is there, the old wish must not run again.
    async fn wait_for_other_wish(&mut self) -> Result<(), PortError> {
        let Some(generation) = self.view.as_ref().map(|view| view.generation) else { return Ok(()) };
        while !*self.stop.borrow() {
            self.look().await?;
            if !self.still_wanted(generation) {
                return Ok(());
            }
            self.wait(self.shared.settings.look).await;
        }
        Ok(())
    }

    async fn record_status(&self, status: SessionStatus, reason: Option<&str>) -> Result<(), PortError> {
        self.record_status_until(status, reason, None).await
    }

    async fn record_status_until(
        &self,
        status: SessionStatus,
        reason: Option<&str>,
        until: Option<Timestamp>,
    ) -> Result<(), PortError> {
        let at = self.shared.ports.clock.now();
        let generation = self.view.as_ref().map_or(0, |view| view.generation);
        let seen = SeenStatus { status, reason: reason.map(str::to_owned), until, generation };
        self.shared.outcomes.session_status(self.account, self.id, seen, at).await
    }
}

/// The reason for programs.
fn logout_reason(reason: &LogoutReason) -> String {
    match reason {
        LogoutReason::Unlinked => "unlinked".to_owned(),
        LogoutReason::AccountLocked => "account_locked".to_owned(),
        LogoutReason::Other(code) => format!("whatsapp_{code}"),
    }
}
