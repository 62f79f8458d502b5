//! A host with one account on a simulated network, whose clients wait by a clock that the test moves.

use std::{pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::watch;
use waxwing_app::{
    commands::{Commands, NewMessage, NewSession, Once, SessionWish},
    execute::{Cause, CommandPorts},
    feed::{Consumer as _, FeedRunner},
    id_source::IdSource,
    keys,
    ports::{Bounds, Clock as _, EntropyExt as _, FeedItem, Gateway, Query},
    processes::Delivery,
    projections::SessionProjection,
    queries,
    views::{LiveSession, MessageView, SessionView},
};
use waxwing_domain::{AccountId, Content, Jid, SessionId, Text, session::SessionSettings};
use waxwing_embedded::Engine;
use waxwing_host::{Host, HostPorts, HostSettings};
use waxwing_runtime::{OsEntropy, SystemClock};
use waxwing_sandbox::{Network, Options, Sandbox};
use waxwing_signed_http::{SigningKey, Verifier};
use waxwing_whatsapp::{Connector, Endpoint, EndpointError, Endpoints, NETWORK, Sleeper};

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

pub struct World {
    pub network: Network,
    pub client_clock: Arc<MovedClock>,
    host: Host,
    commands: Commands,
    stop: watch::Sender<bool>,
    engine: Engine,
    _sandbox: Sandbox,
    _folder: TempDir,
}

fn account() -> AccountId {
    AccountId::derived(1, &[b"host"])
}

async fn simulated(clock: Arc<SystemClock>) -> (Sandbox, Network, String) {
    let (now_ms, now_s) = (clock.clone(), clock);
    let options =
        Options::new(Arc::new(move || now_ms.now().as_millisecond()), Arc::new(|| OsEntropy.bytes::<32>()));
    let sandbox = Sandbox::in_memory(options).unwrap();
    let key = SigningKey::from_bytes(&[1; 32]).unwrap();
    let router = sandbox.router(Verifier::new(key, Arc::new(move || now_s.now().as_second())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let network = sandbox.network(&account().to_string());
    let path = network.info().await.unwrap().ws_path;
    (sandbox, network, format!("ws://{address}{path}"))
}

impl World {
    pub async fn new() -> Self {
        let (clock, entropy) = (Arc::new(SystemClock::default()), Arc::new(OsEntropy));
        let (sandbox, network, web_socket) = simulated(clock.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(folder.path(), clock.clone(), entropy.clone()).unwrap();
        let ports =
            CommandPorts { journal: engine.journal(), secrets: engine.secrets(), clock: clock.clone() };
        let client_clock = Arc::new(MovedClock::default());
        let connector = Connector::new(Arc::new(FixedEndpoint(web_socket)), clock.clone()).unwrap();
        let host = Host::start(
            HostPorts {
                commands: ports.clone(),
                records: engine.records(),
                work: engine.work(),
                secrets: engine.secrets(),
                clock: clock.clone(),
                entropy: entropy.clone(),
                connector: Arc::new(connector.with_sleeper(client_clock.clone())),
                host_name: "test".to_owned(),
            },
            HostSettings::default(),
        );
        let gateway: Arc<dyn Gateway> = Arc::new(host.clone());
        let projection = SessionProjection { ports: ports.clone(), records: engine.records(), gateway };
        let stop = watch::Sender::new(false);
        let runner = FeedRunner::new(engine.feed(), engine.records(), Arc::new(projection));
        tokio::spawn(runner.run(stop.subscribe()));
        let ids = Arc::new(IdSource::new(clock, entropy.clone()));
        let commands = Commands { ports, records: engine.records(), entropy, ids, network: NETWORK };
        Self { network, client_clock, host, commands, stop, engine, _sandbox: sandbox, _folder: folder }
    }

    /// A new session that should run.
    pub async fn session(&self) -> SessionId {
        let settings = SessionSettings::default();
        let new = NewSession { name: "shop".to_owned(), phone_number: None, start: true, settings };
        match self.commands.create_session(account(), new, None, &Cause::system()).await.unwrap() {
            Once::Done(view) => view.id,
            Once::Repeated(_) => unreachable!("the request has no key"),
        }
    }

    pub async fn start(&self, session: SessionId) {
        self.commands.wish_session(account(), session, SessionWish::Start, &Cause::system()).await.unwrap();
    }

    /// Accepts a text.
    pub async fn send(&self, session: SessionId, to: &str, text: &str) -> MessageView {
        let content = Content::Text { text: Text(text.to_owned()), link_preview: true };
        let to = Jid::parse(to).unwrap();
        let new = NewMessage { session_id: session, to, content, expires_at: None, metadata: None };
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
        let gateway: Arc<dyn Gateway> = Arc::new(self.host.clone());
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
        self.host.stop().await;
        self.engine.close().await.unwrap();
    }
}
