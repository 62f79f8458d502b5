//! An installation without its outside.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::watch;
use waxwing_app::{
    commands::{AccountLimits, Commands, NewMessage, NewSession, Once},
    execute::{Cause, CommandPorts},
    feed::Consumer,
    id_source::IdSource,
    ports::{Consistency, FeedItem, Gateway, Key, Mailer, PortError, Query, Queue, Records, Row, Write},
    processes::{MailDispatch, MailFanOut},
    views::MessageView,
    worker::JobHandler as _,
};
use waxwing_conformance::{SeededEntropy, TestClock};
use waxwing_domain::{AccountId, Content, Jid, Network, SessionId, Text, session::SessionSettings};
use waxwing_embedded::Engine;

/// How long anything may take; the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(60);

/// An engine with the use cases on it.
pub struct World {
    pub engine: Engine,
    pub clock: Arc<TestClock>,
    pub ports: CommandPorts,
    pub commands: Commands,
    folder: TempDir,
}

impl World {
    pub fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap(), Arc::default())
    }

    fn open(folder: TempDir, clock: Arc<TestClock>) -> Self {
        let entropy = entropy();
        let engine = Engine::open(folder.path(), clock.clone(), entropy.clone()).unwrap();
        let ports = CommandPorts::new(engine.journal(), engine.secrets(), clock.clone()).alone();
        let commands = Commands {
            ports: ports.clone(),
            records: engine.records(),
            entropy: entropy.clone(),
            ids: Arc::new(IdSource::new(clock.clone(), entropy)),
            network: Network::Sandbox,
            limits: AccountLimits::default(),
        };
        Self { engine, clock, ports, commands, folder }
    }

    /// The same after the process ended and was started again.
    pub async fn restarted(self) -> Self {
        self.engine.close().await.unwrap();
        Self::open(self.folder, self.clock)
    }

    /// The same after the process ended, the master key was rotated, and it was started again.
    pub async fn with_another_master_key(self) -> Self {
        self.engine.close().await.unwrap();
        waxwing_embedded::rotate_master_key(self.folder.path(), &*entropy()).unwrap();
        Self::open(self.folder, self.clock)
    }

    pub async fn session(&self, name: &str) -> SessionId {
        let settings = SessionSettings::default();
        let new = NewSession { name: name.to_owned(), phone_number: None, start: true, settings };
        match self.commands.create_session(account(), new, None, &Cause::system()).await.unwrap() {
            Once::Done(view) => view.id,
            Once::Repeated(_) => unreachable!("the request has no key"),
        }
    }

    pub async fn send(&self, session: SessionId, to: &str, text: &str) -> MessageView {
        let content = Content::Text { text: Text(text.to_owned()), link_preview: true };
        let to = Jid::parse(to).unwrap();
        let new = NewMessage::new(session, to, content);
        match self.commands.send_message(account(), new, None, &Cause::system()).await.unwrap() {
            Once::Done(view) => view,
            Once::Repeated(_) => unreachable!("the request has no key"),
        }
    }

    /// The next commits that the consumer gets.
    pub async fn items(&self, consumer: &dyn Consumer) -> Vec<FeedItem> {
        self.engine.feed().next(consumer.name(), consumer.kinds(), 1_000).await.unwrap()
    }

    /// Lets the consumer handle all that was committed.
    pub async fn follow(&self, consumer: &dyn Consumer) {
        loop {
            let items = self.items(consumer).await;
            let Some(last) = items.last() else { return };
            for batch in items.chunks(256) {
                consumer.handle(batch).await.unwrap();
            }
            self.engine.feed().acknowledge(consumer.name(), &last.order).await.unwrap();
        }
    }

    /// Has the mails of all that was committed handed to a mailer.
    pub async fn mail_by(&self, mailer: Arc<dyn Mailer>) {
        let work = self.engine.work();
        self.follow(&MailFanOut { work: work.clone() }).await;
        let dispatch = MailDispatch { ports: self.ports.clone(), work: work.clone(), mailer };
        for job in work.lease(Queue::MAILS, 1_000, DEADLINE).await.unwrap() {
            dispatch.handle(job).await.unwrap();
        }
    }

    /// The rows of a partition.
    pub async fn rows(&self, partition: String) -> Vec<Row> {
        let query =
            Query { index: 0, partition, bounds: Default::default(), descending: false, limit: 1_000 };
        self.engine.records().query(query).await.unwrap()
    }
}

pub fn account() -> AccountId {
    AccountId::derived(1, &[b"app"])
}

/// Every engine of a run draws other bytes.
pub fn entropy() -> Arc<SeededEntropy> {
    static SEED: AtomicU64 = AtomicU64::new(1);
    Arc::new(SeededEntropy::new(SEED.fetch_add(1 << 32, Ordering::SeqCst)))
}

/// The first value that fits, or a panic that says what did not happen.
pub async fn until<T: Clone>(what: &str, values: &watch::Sender<T>, fits: impl FnMut(&T) -> bool) -> T {
    let mut values = values.subscribe();
    let found = tokio::time::timeout(DEADLINE, values.wait_for(fits)).await;
    match found {
        Ok(value) => value.unwrap().clone(),
        Err(_) => panic!("did not happen in time: {what}"),
    }
}

/// A host that only hears that it is poked.
#[derive(Default)]
pub struct Pokes(pub Mutex<Vec<SessionId>>);

#[async_trait]
impl Gateway for Pokes {
    async fn session_changed(&self, _account: AccountId, _session: SessionId) {}

    async fn outbox_changed(&self, _account: AccountId, session: SessionId) {
        self.0.lock().unwrap().push(session);
    }
}

/// Records that cannot write one row, as on a disk that is full at that moment.
pub struct Refusing {
    inner: Arc<dyn Records>,
    pub refused: Mutex<Option<Key>>,
}

impl Refusing {
    pub fn new(inner: Arc<dyn Records>) -> Arc<Self> {
        Arc::new(Self { inner, refused: Mutex::default() })
    }

    /// Where the refused row is among them.
    fn place(&self, writes: &[Write]) -> Option<usize> {
        let refused = self.refused.lock().unwrap();
        let key = |write: &Write| match write {
            Write::Put(row, _) => row.key.clone(),
            Write::Delete(key, _) | Write::Check(key, _) => key.clone(),
        };
        writes.iter().position(|write| Some(key(write)) == *refused)
    }
}

fn full() -> PortError {
    PortError::Unavailable("the disk is full".to_owned())
}

#[async_trait]
impl Records for Refusing {
    async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Row>, PortError> {
        self.inner.get(key, consistency).await
    }

    async fn write_each(&self, mut writes: Vec<Write>) -> Result<Vec<bool>, PortError> {
        let Some(place) = self.place(&writes) else { return self.inner.write_each(writes).await };
        // What stands before it may have been written.
        writes.truncate(place);
        self.inner.write_each(writes).await?;
        Err(full())
    }

    async fn write_all(&self, writes: Vec<Write>) -> Result<(), PortError> {
        match self.place(&writes) {
            None => self.inner.write_all(writes).await,
            Some(_) => Err(full()),
        }
    }

    async fn query(&self, query: Query) -> Result<Vec<Row>, PortError> {
        self.inner.query(query).await
    }
}
