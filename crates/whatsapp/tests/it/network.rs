//! A simulated network with a session on it.

use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use waxwing_app::{commands::new_whatsapp_id, ports::Entropy};
use waxwing_domain::{AccountId, Content, Jid, SessionId, Text};
use waxwing_sandbox::{FaultRequest, Network, Options, PhoneHandle, Sandbox};
use waxwing_signed_http::{SigningKey, Verifier};
use waxwing_whatsapp::{
    Connection, ConnectionEvent, ConnectionEvents, Connector, Disconnect, Endpoint, EndpointError, Endpoints,
    Inbound, InboundError, InboundMessage, InboundSink, NETWORK, Outgoing, OutgoingMessage, SessionSettings,
    SignalState,
};

use crate::doubles::{MemoryRecords, PlainBox, TestClock};

/// How long anything may take; the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(40);

pub const OWNER: &str = "15550001111";
pub const CONTACT: &str = "15550002222";

/// The result, or a panic that says what did not happen.
pub async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, wait).await {
        Ok(result) => result,
        Err(_) => panic!("did not happen in time: {what}"),
    }
}

/// Keeps what was committed; may fail, or hang, for a while.
pub struct Sink {
    committed: watch::Sender<Vec<InboundMessage>>,
    failures: AtomicUsize,
    hanging: watch::Sender<bool>,
    pub attempts: watch::Sender<usize>,
}

impl Default for Sink {
    fn default() -> Self {
        Self {
            committed: watch::Sender::default(),
            failures: AtomicUsize::new(0),
            hanging: watch::Sender::new(false),
            attempts: watch::Sender::new(0),
        }
    }
}

impl Sink {
    /// The next commits fail, that many.
    pub fn fail(&self, times: usize) {
        self.failures.store(times, Ordering::SeqCst);
    }

    /// Commits do not return any more.
    pub fn hang(&self) {
        self.hanging.send_replace(true);
    }

    /// Commits return again.
    pub fn go_on(&self) {
        self.hanging.send_replace(false);
    }

    pub fn committed(&self) -> Vec<InboundMessage> {
        self.committed.borrow().clone()
    }

    pub fn texts(&self) -> Vec<String> {
        self.committed().iter().map(|message| content(message).text().unwrap_or("?").to_owned()).collect()
    }

    /// Returns when so many messages are committed.
    pub async fn has(&self, count: usize) -> Vec<InboundMessage> {
        let mut watch = self.committed.subscribe();
        within("a commit", watch.wait_for(|all| all.len() >= count)).await.unwrap();
        self.committed()
    }

    /// Returns when a commit was tried so often.
    pub async fn was_tried(&self, times: usize) {
        within("an attempt to commit", self.attempts.subscribe().wait_for(|tried| *tried >= times))
            .await
            .unwrap();
    }
}

#[async_trait]
impl InboundSink for Sink {
    async fn commit(&self, message: InboundMessage) -> Result<(), InboundError> {
        self.attempts.send_modify(|attempts| *attempts += 1);
        self.hanging.subscribe().wait_for(|hanging| !hanging).await.unwrap();
        let failed =
            self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if failed.is_ok() {
            return Err(InboundError("the test says no".to_owned()));
        }
        self.committed.send_modify(|all| {
            let known = all
                .iter()
                .any(|known| known.whatsapp_id == message.whatsapp_id && known.from == message.from);
            if !known {
                all.push(message);
            }
        });
        Ok(())
    }
}

struct FixedEndpoint(Mutex<String>);

#[async_trait]
impl Endpoints for FixedEndpoint {
    async fn endpoint(&self, _account: AccountId) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint { web_socket: self.0.lock().unwrap().clone() })
    }
}

/// A simulated network with two phones, and what a host has.
pub struct World {
    pub network: Network,
    pub connector: Connector,
    pub records: Arc<MemoryRecords>,
    pub entropy: Counter,
    _sandbox: Sandbox,
}

/// An open session.
pub struct Session {
    pub connection: Connection,
    pub events: ConnectionEvents,
    pub state: SignalState,
    pub sink: Arc<Sink>,
}

pub fn account() -> AccountId {
    AccountId::new(1, [1; 10])
}

pub fn settings() -> SessionSettings {
    SessionSettings {
        push_name: Some("Waxwing".to_owned()),
        ..SessionSettings::new(NETWORK, "Waxwing tests")
    }
}

/// What a message that came in says.
pub fn content(message: &InboundMessage) -> &Content {
    match &message.what {
        Inbound::Message { content, .. } | Inbound::Operation(_, content) => content,
    }
}

pub fn text(text: &str) -> Content {
    Content::Text { text: Text(text.to_owned()), link_preview: true }
}

pub fn jid(number: &str) -> Jid {
    Jid::parse(&format!("{number}@s.whatsapp.net")).unwrap()
}

impl World {
    pub async fn new() -> Self {
        let options = Options::new(Arc::new(wacore::time::now_millis), Arc::new(|| [7; 32]));
        let sandbox = Sandbox::in_memory(options).unwrap();
        let key = SigningKey::from_bytes(&[1; 32]).unwrap();
        let router = sandbox.router(Verifier::new(key, Arc::new(wacore::time::now_secs)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let network = sandbox.network("acc_test");
        for (number, name) in [(OWNER, "Owner"), (CONTACT, "Contact")] {
            network.create_phone(number, Some(name)).await.unwrap();
        }
        let path = network.info().await.unwrap().ws_path;
        let endpoints = Arc::new(FixedEndpoint(Mutex::new(format!("ws://{address}{path}"))));
        let connector = Connector::new(
            endpoints,
            Arc::new(TestClock::default()),
            Arc::new(|address| address.is_loopback()),
        )
        .unwrap();
        Self {
            network,
            connector,
            records: MemoryRecords::shared(),
            entropy: Counter::default(),
            _sandbox: sandbox,
        }
    }

    pub fn phone(&self, number: &str) -> PhoneHandle {
        self.network.phone(number).unwrap()
    }

    pub async fn fault(&self, kind: &str) {
        let fault = FaultRequest { kind: kind.to_owned(), ..FaultRequest::default() };
        self.network.inject(fault).await.unwrap();
    }

    pub async fn state(&self, epoch: u64) -> SignalState {
        let session = SessionId::new(1, [2; 10]);
        SignalState::open(Arc::clone(&self.records) as _, Arc::new(PlainBox), account(), session, epoch)
            .await
            .unwrap()
    }

    /// Opens the session and connects, without waiting for anything.
    pub async fn open(&self, epoch: u64) -> Session {
        self.open_with(epoch, settings(), Arc::default()).await
    }

    pub async fn open_with(&self, epoch: u64, settings: SessionSettings, sink: Arc<Sink>) -> Session {
        let state = self.state(epoch).await;
        let (connection, events) =
            self.connector.open(state.clone(), settings, Arc::clone(&sink) as _).await.unwrap();
        connection.connect().unwrap();
        Session { connection, events, state, sink }
    }

    /// A session that the owner's phone has linked and that is connected.
    pub async fn paired(&self) -> Session {
        let mut session = self.open(1).await;
        session.pair(&self.phone(OWNER)).await;
        session
    }

    pub fn message(&self, to: &str, content: &str) -> OutgoingMessage {
        OutgoingMessage {
            whatsapp_id: new_whatsapp_id(&self.entropy),
            to: jid(to),
            payload: Outgoing::Message { content: text(content), context: Box::default() },
            message_secret: [5; 32],
        }
    }

    /// Returns when the phone has so many messages: their texts and copies.
    pub async fn inbox(&self, number: &str, count: usize) -> Vec<(String, i64)> {
        let read = async {
            loop {
                let inbox = self.phone(number).inbox().await.unwrap();
                if inbox.len() >= count {
                    return inbox;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let inbox = within("a message in the phone's inbox", read).await;
        inbox.into_iter().map(|entry| (entry.text.unwrap_or_default(), entry.copies)).collect()
    }
}

impl Session {
    /// The first event that fits; those before it are gone.
    pub async fn until<T>(&mut self, what: &str, mut fits: impl FnMut(&ConnectionEvent) -> Option<T>) -> T {
        let mut seen = Vec::new();
        let search = async {
            loop {
                let Some(event) = self.events.recv().await else {
                    panic!("the connection is gone, while waiting for {what}")
                };
                if let Some(found) = fits(&event) {
                    return found;
                }
                seen.push(event);
            }
        };
        match tokio::time::timeout(DEADLINE, search).await {
            Ok(found) => found,
            Err(_) => panic!("did not come: {what}; what came: {seen:?}"),
        }
    }

    pub async fn pair(&mut self, phone: &PhoneHandle) {
        let code = self
            .until("a QR code", |event| match event {
                ConnectionEvent::Qr { code, .. } => Some(code.clone()),
                _ => None,
            })
            .await;
        phone.scan(&code).await.unwrap();
        self.connected().await;
    }

    pub async fn connected(&mut self) {
        self.until("a login", |event| matches!(event, ConnectionEvent::Connected { .. }).then_some(())).await;
    }

    pub async fn disconnected(&mut self) -> Disconnect {
        self.until("the end of the run", |event| match event {
            ConnectionEvent::Disconnected { reason } => Some(reason.clone()),
            _ => None,
        })
        .await
    }

    /// The server's answer to a message: its error, if it has one.
    pub async fn ack(&mut self, id: &str) -> Option<String> {
        self.until("the server's ack", |event| match event {
            ConnectionEvent::ServerAck { whatsapp_id, error, .. } if whatsapp_id == id => Some(error.clone()),
            _ => None,
        })
        .await
    }
}

/// Counts instead of drawing.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, buffer: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (slot, byte) in buffer.iter_mut().rev().zip(count.iter().rev().chain(std::iter::repeat(&0))) {
            *slot = *byte;
        }
    }
}
