//! Hosts with one account on a simulated network. The clients of a host that is alone wait by a clock that the test moves.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch};
use waxwing_app::{
    codec,
    commands::{Commands, NewMessage, NewSession, Once, SessionWish},
    execute::{Cause, CommandPorts},
    feed::{Consumer as _, FeedRunner},
    fleet::Fleet,
    id_source::IdSource,
    keys,
    ports::{
        Bounds, Clock as _, Consistency, EntropyExt as _, FeedItem, Gateway, Guard, Key, Pairing as _,
        PortError, Query, Records, Row, Write,
    },
    processes::Delivery,
    projections::{MessageProjection, SessionProjection},
    queries::{self, MessageFilter},
    rows, told_events,
    views::{LiveSession, MessageView, Placement, SessionView},
};
use waxwing_domain::{
    AccountId, Content, Jid, Network as WhatsappNetwork, SessionId, Text,
    call::{CallEvent, CallReceived},
    message::MessageEvent,
    session::{Session, SessionSettings, SessionStatus, SettingsChange},
};
use waxwing_embedded::Engine;
use waxwing_host::{Host, HostPorts, HostSettings, Membership};
use waxwing_runtime::{OsEntropy, SystemClock};
use waxwing_sandbox::{Network, Options, Sandbox};
use waxwing_signed_http::{SigningKey, Verifier};
use waxwing_whatsapp::{Connector, Endpoint, EndpointError, Endpoints, NETWORK, Sleeper};

use crate::{switchboard::Switchboard, wire::Wire};

/// How long anything may take; the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(60);

/// A clock that stands still until it is moved.
#[derive(Default)]
pub struct MovedClock(watch::Sender<Duration>);

impl MovedClock {
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

impl Sleeper for MovedClock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut now = self.0.subscribe();
        let until = *now.borrow() + duration;
        Box::pin(async move {
            // A clock that is gone moves no more.
            if now.wait_for(|now| *now >= until).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

struct FixedEndpoint(String);

#[async_trait]
impl Endpoints for FixedEndpoint {
    async fn endpoint(&self, _account: AccountId) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint { web_socket: self.0.clone() })
    }
}

/// Counts what hosts ask of their engine.
struct Counted {
    records: Arc<dyn Records>,
    calls: Arc<AtomicUsize>,
}

impl Counted {
    fn one(&self) -> &dyn Records {
        self.calls.fetch_add(1, Ordering::Relaxed);
        &*self.records
    }
}

#[async_trait]
impl Records for Counted {
    async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Row>, PortError> {
        self.one().get(key, consistency).await
    }

    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<bool>, PortError> {
        self.one().write_each(writes).await
    }

    async fn write_all(&self, writes: Vec<Write>) -> Result<(), PortError> {
        self.one().write_all(writes).await
    }

    async fn query(&self, query: Query) -> Result<Vec<Row>, PortError> {
        self.one().query(query).await
    }
}

pub struct World {
    pub network: Network,
    pub wire: Wire,
    calls: Arc<AtomicUsize>,
    pub client_clock: Arc<MovedClock>,
    web_socket: String,
    switchboard: Switchboard,
    commands: Commands,
    stop: watch::Sender<bool>,
    engine: Engine,
    _sandbox: Sandbox,
    _folder: TempDir,
}

pub fn account() -> AccountId {
    AccountId::derived(1, &[b"host"])
}

async fn simulated(clock: Arc<SystemClock>) -> (Sandbox, Network, Wire, String) {
    let (now_ms, now_s) = (clock.clone(), clock);
    let options =
        Options::new(Arc::new(move || now_ms.now().as_millisecond()), Arc::new(|| OsEntropy.bytes::<32>()));
    let sandbox = Sandbox::in_memory(options).unwrap();
    let key = SigningKey::from_bytes(&[1; 32]).unwrap();
    let router = sandbox.router(Verifier::new(key, Arc::new(move || now_s.now().as_second())));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (wire, address) = Wire::to(listener.local_addr().unwrap()).await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    let network = sandbox.network(&account().to_string());
    let path = network.info().await.unwrap().ws_path;
    (sandbox, network, wire, format!("ws://{address}{path}"))
}

impl World {
    /// With one host.
    pub async fn new() -> Self {
        let world = Self::without_hosts().await;
        let sleeper = world.client_clock.clone();
        let settings = HostSettings::default();
        world.start_host("test", None, settings, |connector| connector.with_sleeper(sleeper));
        world
    }

    /// With one host that behaves like this, and clients that wait by the real clock.
    pub async fn with(settings: HostSettings) -> Self {
        let world = Self::without_hosts().await;
        world.start_host("test", None, settings, |connector| connector);
        world
    }

    /// Hosts may join.
    pub async fn without_hosts() -> Self {
        let (clock, entropy) = (Arc::new(SystemClock::default()), Arc::new(OsEntropy));
        let (sandbox, network, wire, web_socket) = simulated(clock.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(folder.path(), clock.clone(), entropy.clone()).unwrap();
        let ports = CommandPorts::new(engine.journal(), engine.secrets(), clock.clone()).alone();
        let client_clock = Arc::new(MovedClock::default());
        let switchboard = Switchboard { hosts: Arc::default(), records: engine.records() };
        let gateway: Arc<dyn Gateway> = Arc::new(switchboard.clone());
        let projection = SessionProjection { ports: ports.clone(), records: engine.records(), gateway };
        let stop = watch::Sender::new(false);
        let runner = FeedRunner::new(engine.feed(), engine.records(), Arc::new(projection));
        tokio::spawn(runner.run(stop.subscribe()));
        let ids = Arc::new(IdSource::new(clock, entropy.clone()));
        let (records, limits) = (engine.records(), Default::default());
        let commands = Commands { ports, records, entropy, ids, network: NETWORK, limits };
        Self {
            network,
            wire,
            calls: Arc::default(),
            client_clock,
            web_socket,
            switchboard,
            commands,
            stop,
            engine,
            _sandbox: sandbox,
            _folder: folder,
        }
    }

    fn start_host(
        &self,
        name: &str,
        membership: Option<Membership>,
        settings: HostSettings,
        with: impl FnOnce(Connector) -> Connector,
    ) -> Host {
        let Commands { ports, entropy, .. } = &self.commands;
        let endpoint = FixedEndpoint(self.web_socket.clone());
        let guard = waxwing_runtime::proxy_guard(true, false);
        let connector = Connector::new(Arc::new(endpoint), ports.clock.clone(), guard).unwrap();
        let ports = HostPorts {
            commands: ports.clone(),
            records: Arc::new(Counted { records: self.engine.records(), calls: self.calls.clone() }),
            work: self.engine.work(),
            secrets: self.engine.secrets(),
            clock: ports.clock.clone(),
            entropy: entropy.clone(),
            connector: Arc::new(with(connector)),
            host_name: name.to_owned(),
            membership,
        };
        let host = Host::start(ports, settings);
        self.switchboard.hosts.lock().unwrap().insert(name.to_owned(), host.clone());
        host
    }

    /// A host joins those that share the sessions.
    pub fn join(&self, name: &str) {
        let address = format!("http://{name}.invalid");
        let membership = Membership { address, peers: Arc::new(self.switchboard.clone()) };
        // What tests replay from the feed goes at a look.
        let settings = HostSettings { look: Duration::from_secs(5), ..HostSettings::default() };
        let host = self.start_host(name, Some(membership), settings, |connector| connector);
        tokio::spawn(async move { host.run().await });
    }

    /// A host is told to stop, and has stopped.
    pub async fn leave(&self, name: &str) {
        let host = self.switchboard.hosts.lock().unwrap().get(name).cloned().unwrap();
        host.stop().await;
        self.switchboard.hosts.lock().unwrap().remove(name);
    }

    /// Who holds the session.
    pub async fn holder(&self, session: SessionId) -> Option<String> {
        let key = keys::placement(account(), session);
        let placement: Option<Placement> = rows::get(&*self.engine.records(), &key).await.unwrap();
        placement.and_then(|placement| placement.host)
    }

    /// Waits until the session is connected where it belongs, with so many hosts.
    pub async fn settled(&self, hosts: usize, session: SessionId) -> String {
        let look = async {
            loop {
                let fleet = Fleet::read(&*self.engine.records()).await.unwrap();
                let live = queries::live_session(&*self.engine.records(), account(), session).await.unwrap();
                let connected = live.is_some_and(|live| live.status == SessionStatus::Connected);
                let (holder, home) = (self.holder(session).await, fleet.home(session).map(|(home, _)| home));
                if connected && fleet.open().count() == hosts && home.is_some() && holder.as_deref() == home {
                    return holder.unwrap();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(DEADLINE, look).await {
            Ok(holder) => holder,
            Err(_) => panic!("the session did not settle; it is with {:?}", self.holder(session).await),
        }
    }

    /// How many commits the session has: what is news is one.
    pub async fn session_commits(&self, session: SessionId) -> u64 {
        let (_, commits) =
            self.commands.ports.load::<Session>(account(), &session.to_string()).await.unwrap();
        commits
    }

    /// Links a session with this number.
    pub async fn linked(&self, number: &str) -> SessionId {
        self.linked_with(number, SessionSettings::default()).await
    }

    /// Links a session with this number that behaves like this.
    pub async fn linked_with(&self, number: &str, settings: SessionSettings) -> SessionId {
        self.network.create_phone(number, None).await.unwrap();
        let session = self.session_with(number, settings).await;
        let code = self.code(session, &[]).await;
        self.network.phone(number).unwrap().scan(&code).await.unwrap();
        self.until("the connection", session, |view, live| {
            view.status == SessionStatus::Connected && live.status == SessionStatus::Connected
        })
        .await;
        session
    }

    /// A new session that should run.
    pub async fn session(&self, name: &str) -> SessionId {
        self.session_with(name, SessionSettings::default()).await
    }

    /// A new session of that network, whatever this build serves.
    pub async fn session_of(&self, network: WhatsappNetwork) -> SessionId {
        let commands = Commands { network, ..self.commands.clone() };
        let settings = SessionSettings::default();
        let new = NewSession { name: "other".to_owned(), phone_number: None, start: true, settings };
        match commands.create_session(account(), new, None, &Cause::system()).await.unwrap() {
            Once::Done(view) => view.id,
            Once::Repeated(_) => unreachable!("the request has no key"),
        }
    }

    pub async fn session_with(&self, name: &str, settings: SessionSettings) -> SessionId {
        let new = NewSession { name: name.to_owned(), phone_number: None, start: true, settings };
        match self.commands.create_session(account(), new, None, &Cause::system()).await.unwrap() {
            Once::Done(view) => view.id,
            Once::Repeated(_) => unreachable!("the request has no key"),
        }
    }

    pub async fn change(&self, session: SessionId, change: SettingsChange) {
        let wish = SessionWish::Change(change);
        self.commands.wish_session(account(), session, wish, &Cause::system()).await.unwrap();
    }

    /// A code to type into the phone.
    pub async fn pairing_code(&self, session: SessionId, number: &str) -> String {
        let host = self.switchboard.host_of(session).await.unwrap();
        let code = host.pairing_code(account(), session, &number.parse().unwrap()).await;
        code.unwrap().code
    }

    /// The calls that were recorded.
    pub async fn recorded_calls(&self) -> Vec<CallReceived> {
        let mut found = Vec::new();
        for item in self.engine.feed().next("nobody of calls", &["call"], 1_000).await.unwrap() {
            let events = codec::open::<CallEvent>(&*self.commands.ports.secrets, &item.commit).await.unwrap();
            found.extend(events.into_iter().map(|CallEvent::Received(call)| call));
        }
        found
    }

    /// All messages of the session, as they are listed.
    pub async fn messages(&self, session: SessionId) -> Vec<MessageView> {
        let projection =
            MessageProjection { ports: self.commands.ports.clone(), records: self.engine.records() };
        let items = self.message_commits().await;
        for batch in items.chunks(256) {
            projection.handle(batch).await.unwrap();
        }
        let filter = MessageFilter { session: Some(session), ..MessageFilter::default() };
        let records = self.engine.records();
        queries::messages(&*records, account(), &filter, &|_| true, None, 200).await.unwrap().messages
    }

    /// How many events of messages receivers would be told of.
    pub async fn told_messages(&self) -> usize {
        let mut told = 0;
        for item in self.message_commits().await {
            let events =
                codec::open::<MessageEvent>(&*self.commands.ports.secrets, &item.commit).await.unwrap();
            told += events.iter().filter(|event| told_events::is_message_event_told(event)).count();
        }
        told
    }

    /// A part of a history is kept, of whoever it is.
    pub async fn keep_history(&self, session: SessionId, owner: &str) {
        let kept = serde_json::json!({ "rows": 1, "done": 0, "owner": format!("{owner}@s.whatsapp.net") });
        let named = rows::row(keys::history_part(account(), session, "part"), 1, &kept).unwrap();
        let bytes = rows::row(keys::history_bytes(account(), session, "part", 0), 1, &"no history").unwrap();
        let writes = [bytes, named].map(|row| Write::Put(row, Guard::Always));
        self.engine.records().write_each(writes.into()).await.unwrap();
    }

    /// How many parts of the history wait to be imported.
    pub async fn kept_history(&self, session: SessionId) -> usize {
        let (partition, bounds) = (keys::history(account(), session), Bounds::default());
        let query = Query { index: 0, partition, bounds, descending: false, limit: 100 };
        self.engine.records().query(query).await.unwrap().len()
    }

    /// Waits until something holds that nothing tells of.
    pub async fn sees(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let look = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(DEADLINE, look).await.is_err() {
            panic!("did not happen in time: {what}");
        }
    }

    pub async fn log_out(&self, session: SessionId) {
        self.commands.wish_session(account(), session, SessionWish::Logout, &Cause::system()).await.unwrap();
    }

    pub async fn stop(&self, session: SessionId) {
        self.commands.wish_session(account(), session, SessionWish::Stop, &Cause::system()).await.unwrap();
    }

    /// How often hosts asked their engine so far.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    pub async fn start(&self, session: SessionId) {
        self.commands.wish_session(account(), session, SessionWish::Start, &Cause::system()).await.unwrap();
    }

    /// Accepts a text.
    pub async fn send(&self, session: SessionId, to: &str, text: &str) -> MessageView {
        let content = Content::Text { text: Text(text.to_owned()), link_preview: true };
        let to = Jid::parse(to).unwrap();
        let new = NewMessage::new(session, to, content);
        match self.commands.send_message(account(), new, None, &Cause::system()).await.unwrap() {
            Once::Done(view) => view,
            Once::Repeated(_) => unreachable!("the request has no key"),
        }
    }

    /// The commits of all messages so far.
    pub async fn message_commits(&self) -> Vec<FeedItem> {
        self.engine.feed().next("nobody", &["message"], 1_000).await.unwrap()
    }

    /// Hands commits to the consumer that fills the outbox.
    pub async fn deliver(&self, items: &[FeedItem]) {
        let ports = self.commands.ports.clone();
        let gateway: Arc<dyn Gateway> = Arc::new(self.switchboard.clone());
        let delivery = Delivery { ports, records: self.engine.records(), gateway };
        delivery.handle(items).await.unwrap();
    }

    /// Waits until everything in the session's outbox is done.
    pub async fn outbox_is_empty(&self, session: SessionId) {
        let empty = async || {
            let (partition, bounds) = (keys::outbox(account(), session), Bounds::default());
            let query = Query { index: 0, partition, bounds, descending: false, limit: 1 };
            self.engine.records().query(query).await.unwrap().is_empty()
        };
        let look = async {
            while !empty().await {
                // The client pauses between messages.
                self.client_clock.advance(Duration::from_millis(100));
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(DEADLINE, look).await.is_err() {
            panic!("the outbox was not emptied in time: {:?}", self.network.ledger().await);
        }
    }

    /// The session and what its host says of it, once both fit.
    pub async fn until(
        &self,
        what: &str,
        session: SessionId,
        fits: impl Fn(&SessionView, &LiveSession) -> bool,
    ) -> (SessionView, LiveSession) {
        let records = self.engine.records();
        let look = async {
            loop {
                let view = queries::session(&self.commands.ports, &*records, account(), session).await;
                let live = queries::live_session(&*records, account(), session).await;
                if let (Some(view), Some(live)) = (view.unwrap(), live.unwrap())
                    && fits(&view, &live)
                {
                    return (view, live);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match tokio::time::timeout(DEADLINE, look).await {
            Ok(found) => found,
            Err(_) => panic!("did not happen in time: {what}"),
        }
    }

    /// The code that the session shows, once it is none of these.
    pub async fn code(&self, session: SessionId, known: &[String]) -> String {
        let new = |live: &LiveSession| {
            live.qr.as_ref().map(|qr| qr.code.clone()).filter(|code| !known.contains(code))
        };
        let what = format!("another code than {} others", known.len());
        let (_, live) = self.until(&what, session, |_, live| new(live).is_some()).await;
        new(&live).unwrap()
    }

    pub async fn end(self) {
        self.stop.send_replace(true);
        let hosts: Vec<Host> = self.switchboard.hosts.lock().unwrap().values().cloned().collect();
        for host in hosts {
            host.stop().await;
        }
        self.engine.close().await.unwrap();
    }
}
