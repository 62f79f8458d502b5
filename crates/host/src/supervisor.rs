//! One task per session.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    task::JoinSet,
    time::Instant,
};
use waxwing_app::{
    commands::Outcomes,
    execute::CommandPorts,
    identities::Identities,
    keys,
    ports::{
        Bounds, Census, Clock, CountsSessions, Entropy, Gateway, Pairing, PairingCode, PairingCodeError,
        PortError, Query, Records, SecretBox, Work,
    },
};
use waxwing_domain::{AccountId, PhoneNumber, SessionId};
use waxwing_whatsapp::Connector;

use crate::{
    admission::Admission,
    census::Sessions,
    heart,
    lanes::{LanePorts, Lanes},
    members::Members,
    receipts::{Parking, ReceiptRetry},
    session::{Poke, Session, Shared},
};

/// Hints that may wait at a session. More would say nothing new.
const POKES_MAX: usize = 8;
/// Sessions that import history at a time: each unpacks megabytes.
const IMPORTS_MAX: usize = 2;
/// Sessions listed at once.
const PAGE: usize = 1_000;
/// How long sessions may take to close before they are abandoned; everything that matters is durable.
const STOP_TIMEOUT: Duration = Duration::from_millis(2_500);
/// The same where each session is handed over.
const STOP_TIMEOUT_OF_SEVERAL: Duration = Duration::from_secs(25);
/// How long outcomes may then take to be recorded.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// What a host needs.
#[derive(Clone)]
pub struct HostPorts {
    /// Journal, encryption, clock.
    pub commands: CommandPorts,
    /// Wishes, outbox, Signal state.
    pub records: Arc<dyn Records>,
    /// Parked receipts.
    pub work: Arc<dyn Work>,
    /// Encrypts Signal state.
    pub secrets: Arc<dyn SecretBox>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Jitter.
    pub entropy: Arc<dyn Entropy>,
    /// The way to WhatsApp.
    pub connector: Arc<Connector>,
    /// Under which name this host holds sessions.
    pub host_name: String,
    /// Where several hosts share the sessions. `None` for the only one, which a lock on its data makes so.
    pub membership: Option<Membership>,
}

/// How a host is one of several.
#[derive(Clone)]
pub struct Membership {
    /// Where this host is reached.
    pub address: String,
    /// The others: who is told of a session that this host let go.
    pub peers: Arc<dyn Gateway>,
}

/// How often a host looks for sessions that it was not told of.
const ADOPT_INTERVAL: Duration = Duration::from_secs(10);
/// The same where each of many hosts reads the whole list.
const ADOPT_INTERVAL_OF_SEVERAL: Duration = Duration::from_secs(60);
/// Pause after the list could not be read.
const ADOPT_AGAIN: Duration = Duration::from_secs(5);
/// With [`ANSWER`]: a session that hears nothing is known to be deaf within a minute.
const SILENCE: Duration = Duration::from_secs(40);
const ANSWER: Duration = Duration::from_secs(15);
/// A look is two reads for each session, which would be most of what an idle one costs.
const LOOK: Duration = Duration::from_secs(30);

/// How a host behaves.
#[derive(Debug, Clone)]
pub struct HostSettings {
    /// Connects that are begun each second.
    pub connects_per_s: u32,
    /// How long a session may be without a connection before that is news.
    pub grace: Duration,
    /// How often a session looks after its wish and its outbox by itself, in case a hint was lost. Each look costs reads.
    pub look: Duration,
    /// How long nothing may come from the network before it is asked for a sign of life. The client asks by itself, every
    /// 15 to 30 seconds.
    pub silence: Duration,
    /// How long it may take to answer. Then the session is deaf, and connects anew.
    pub answer: Duration,
    /// How long a message is held back after it was accepted, where the feed brings messages of one chat out of order; a
    /// later one is sent late. Zero where it never does.
    pub settle: Duration,
}

impl Default for HostSettings {
    fn default() -> Self {
        Self {
            connects_per_s: 50,
            grace: Duration::from_secs(20),
            look: LOOK,
            silence: SILENCE,
            answer: ANSWER,
            settle: Duration::ZERO,
        }
    }
}

type Pokes = HashMap<(AccountId, SessionId), mpsc::Sender<Poke>>;

/// A session host: cheap to clone, one per process.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
    pokes: Arc<Mutex<Pokes>>,
    tasks: Arc<Mutex<JoinSet<()>>>,
    stop: watch::Sender<bool>,
    alive: watch::Receiver<bool>,
}

impl Host {
    /// Starts the host's own tasks. Sessions start with [`Host::run`].
    pub fn start(ports: HostPorts, settings: HostSettings) -> Self {
        let identities = Identities::new(ports.records.clone());
        let outcomes = Outcomes { ports: ports.commands.clone(), identities };
        let (stop, stopped) = watch::channel(false);
        let parking = Parking {
            records: ports.records.clone(),
            work: ports.work.clone(),
            secrets: ports.secrets.clone(),
        };
        let lane_ports = LanePorts {
            outcomes: outcomes.clone(),
            records: ports.records.clone(),
            parking: parking.clone(),
        };
        let (lanes, mut tasks) = Lanes::start(&lane_ports, ports.clock.clone());
        let retry = ReceiptRetry { outcomes: outcomes.clone(), parking, clock: ports.clock.clone() };
        tasks.spawn(retry.run(stopped));
        let admission = Arc::new(Admission::new(settings.connects_per_s));
        let leaving = Admission::new(settings.connects_per_s);
        let pokes: Arc<Mutex<Pokes>> = Arc::default();
        let (living, alive) = watch::channel(ports.membership.is_none());
        let me = ports.membership.is_some().then(|| ports.host_name.clone());
        let members = Arc::new(Members::new(ports.records.clone(), me));
        if let Some(Membership { address, .. }) = ports.membership.clone() {
            let held = pokes.clone();
            let sessions = move || held.lock().unwrap_or_else(PoisonError::into_inner).len();
            let (ports, members, admission) = (ports.clone(), members.clone(), admission.clone());
            tasks.spawn(heart::beat(ports, address, members, admission, sessions, living, stop.subscribe()));
        }
        let alive_here = alive.clone();
        let shared = Arc::new(Shared {
            ports,
            settings,
            outcomes,
            lanes,
            admission,
            leaving,
            members,
            imports: Semaphore::new(IMPORTS_MAX),
            sessions: Sessions::default(),
            alive: alive_here,
        });
        Self { shared, pokes, tasks: Arc::new(Mutex::new(tasks)), stop, alive }
    }

    /// False while the host cannot say that it lives, and therefore holds no session.
    pub fn is_alive(&self) -> bool {
        *self.alive.borrow()
    }

    /// How many sessions it looks after.
    pub fn sessions(&self) -> usize {
        self.pokes.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Looks after the sessions of Records until [`Host::stop`].
    pub async fn run(&self) {
        let (mut stopped, mut fleet) = (self.stop.subscribe(), self.shared.members.changes());
        let interval = match self.shared.members.are_several() {
            true => ADOPT_INTERVAL_OF_SEVERAL,
            false => ADOPT_INTERVAL,
        };
        let mut fleet_changed = false;
        while !*stopped.borrow() {
            let pause = match self.adopt_all().await {
                Ok(()) => interval,
                Err(error) => {
                    tracing::warn!(%error, "the list of sessions cannot be read");
                    ADOPT_AGAIN
                },
            };
            if fleet_changed {
                tokio::select! {
                    () = self.tell_those_who_move() => {}
                    // Whose sessions have nobody now comes first.
                    _ = fleet.changed() => continue,
                    _ = stopped.changed() => return,
                }
            }
            fleet_changed = tokio::select! {
                () = tokio::time::sleep(pause) => false,
                _ = fleet.changed() => true,
                _ = stopped.changed() => return,
            };
        }
    }

    /// Sessions whose home is elsewhere now are told to look where it is.
    async fn tell_those_who_move(&self) {
        let members = &self.shared.members;
        let moving: Vec<_> = {
            let pokes = self.pokes.lock().unwrap_or_else(PoisonError::into_inner);
            let away = pokes.iter().filter(|((_, session), _)| !members.is_home(*session));
            away.map(|(_, sender)| sender.clone()).collect()
        };
        if !moving.is_empty() {
            tracing::info!(sessions = moving.len(), "the hosts have changed, and sessions move");
        }
        for sender in moving {
            // No faster than the next host connects them.
            self.shared.leaving.admitted().await;
            let _ = sender.try_send(Poke::Wish);
        }
    }

    /// Starts a task for each session that belongs here and has none.
    async fn adopt_all(&self) -> Result<(), PortError> {
        let mut after = None;
        loop {
            let bounds = Bounds { after: after.clone(), before: None };
            let query = Query { index: 0, partition: keys::hosted(), bounds, descending: false, limit: PAGE };
            let rows = self.shared.ports.records.query(query).await?;
            for row in &rows {
                let ids = row.key.sort.split_once('/').and_then(|(account, session)| {
                    Some((account.parse::<AccountId>().ok()?, session.parse::<SessionId>().ok()?))
                });
                let (account, session) =
                    ids.ok_or_else(|| PortError::Corrupt("key of a hosted session".to_owned()))?;
                if self.shared.members.is_home(session) {
                    self.adopt(account, session);
                }
            }
            match rows.last() {
                Some(last) if rows.len() == PAGE => after = Some(last.key.sort.clone()),
                _ => break,
            }
        }
        // Sessions that were deleted meanwhile.
        self.pokes.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, sender| !sender.is_closed());
        Ok(())
    }

    /// The way to the session's task, which is started where there is none.
    fn adopt(&self, account: AccountId, id: SessionId) -> mpsc::Sender<Poke> {
        let mut pokes = self.pokes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = pokes.get(&(account, id)).filter(|sender| !sender.is_closed()) {
            return sender.clone();
        }
        let (sender, receiver) = mpsc::channel(POKES_MAX);
        pokes.insert((account, id), sender.clone());
        if !*self.stop.borrow() {
            let session = Session::new(self.shared.clone(), account, id, receiver, self.stop.subscribe());
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            while tasks.try_join_next().is_some() {}
            tasks.spawn(session.run());
        }
        sender
    }

    /// Closes all connections gracefully and waits for it, for three seconds at most; where there are other hosts, until they
    /// are told, for half a minute at most.
    pub async fn stop(&self) {
        let timeout = match &self.shared.ports.membership {
            Some(Membership { address, .. }) => {
                heart::drain(&self.shared.ports, &self.shared.members, address, self.sessions()).await;
                STOP_TIMEOUT_OF_SEVERAL
            },
            None => STOP_TIMEOUT,
        };
        self.stop.send_replace(true);
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        self.pokes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let sessions = async {
            // The lanes live as long as this handle; everything else ends by itself.
            while tasks.len() > crate::lanes::LANES {
                if tasks.join_next().await.is_none() {
                    return;
                }
            }
        };
        if tokio::time::timeout(timeout, sessions).await.is_err() {
            tracing::warn!("some sessions did not close in time; they are abandoned");
        }
        self.shared.lanes.drained(DRAIN_TIMEOUT).await;
        tasks.abort_all();
        if self.shared.members.are_several() {
            heart::end(&self.shared.ports).await;
        }
    }
}

#[async_trait]
impl Gateway for Host {
    async fn session_changed(&self, account: AccountId, session: SessionId) {
        let _ = self.adopt(account, session).try_send(Poke::Wish);
    }

    async fn outbox_changed(&self, account: AccountId, session: SessionId) {
        let _ = self.adopt(account, session).try_send(Poke::Outbox);
    }
}

impl CountsSessions for Host {
    fn census(&self) -> Census {
        self.shared.sessions.census(self.shared.admission.is_held_here())
    }
}

/// How long a session may take until it shows codes.
const PAIRING_PATIENCE: Duration = Duration::from_secs(10);
/// How often it is asked meanwhile.
const PAIRING_ASK_AGAIN: Duration = Duration::from_millis(200);

#[async_trait]
impl Pairing for Host {
    async fn pairing_code(
        &self,
        account: AccountId,
        session: SessionId,
        phone: &PhoneNumber,
    ) -> Result<PairingCode, PairingCodeError> {
        let patience = Instant::now() + PAIRING_PATIENCE;
        loop {
            let (reply, answer) = oneshot::channel();
            let asked =
                self.adopt(account, session).try_send(Poke::PairingCode(phone.clone(), reply)).is_ok();
            // A session that shows no codes lets the question go.
            match answer.await {
                Ok(answer) if asked => return answer,
                _ if Instant::now() >= patience => return Err(PairingCodeError::NotPairing),
                _ => tokio::time::sleep(PAIRING_ASK_AGAIN).await,
            }
        }
    }
}
