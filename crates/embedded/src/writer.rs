//! The one thread that writes.

use std::{
    cell::Cell,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{CachedStatement, Connection};
use tokio::sync::{mpsc, oneshot};
use waxwing_app::ports::{Clock, PortError};

use crate::{
    codec::time_ms,
    failure::{Stop, port_error},
    folder_lock::FolderLock,
    log::{self, Log},
    signals::Signals,
    sweep::Sweep,
};

/// Writes that may wait; a caller beyond that waits before its write is queued.
const QUEUE_LIMIT: usize = 4096;
/// Most writes in one transaction: bounds how long the first of them waits for the last.
const GROUP_LIMIT: usize = 1024;
/// How long a group waits to become as large as the one before. Callers that were just answered come back within this;
/// a group that begins without them makes them wait for a sync of their own.
const GATHERING: Duration = Duration::from_micros(100);

/// The way in for every write. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Message>,
}

/// What an operation sees: the open transaction, and the time at which its group began.
pub(crate) struct Transaction<'a> {
    connection: &'a Connection,
    /// Now, in milliseconds since 1970.
    pub(crate) now_ms: i64,
    appended: Cell<u64>,
    work_changed: Cell<bool>,
}

impl<'a> Transaction<'a> {
    /// A statement, prepared once in the life of the connection.
    pub(crate) fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'a>> {
        self.connection.prepare_cached(sql)
    }

    /// Runs one statement and says how many rows it changed.
    pub(crate) fn execute(&self, sql: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.prepare(sql)?.execute(parameters)
    }

    /// Position that the last insert into a table with row ids got.
    pub(crate) fn last_row_id(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    /// The connection itself, for what is no statement.
    pub(crate) fn connection(&self) -> &Connection {
        self.connection
    }

    /// Tells the feed's readers, once this is durable.
    pub(crate) fn appended(&self, position: u64) {
        self.appended.set(position);
    }

    /// Tells those who wait for work, once this is durable.
    pub(crate) fn work_changed(&self) {
        self.work_changed.set(true);
    }
}

impl Writer {
    /// Starts the thread. It keeps `lock` until it has ended.
    pub(crate) fn start(
        connection: Connection,
        lock: FolderLock,
        log: Log,
        clock: Arc<dyn Clock>,
        signals: Arc<Signals>,
    ) -> std::io::Result<Self> {
        let (queue, waiting) = mpsc::channel(QUEUE_LIMIT);
        let worker = Worker { connection, _lock: lock, log, clock, signals, sweep: Sweep::default() };
        thread::Builder::new().name("waxwing-writer".to_owned()).spawn(move || worker.run(waiting))?;
        Ok(Self { queue })
    }

    /// Runs `operation` in a transaction together with whatever else waits; returns when that is durable. The operation
    /// has to look before it writes: [`Stop::Refused`] after a write would leave that write standing. It may run twice,
    /// each time on a clean state.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        operation: impl Fn(&Transaction<'_>) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, PortError> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Task(Box::new(Operation { operation, outcome: None, answer }))).await?;
        answered.await.map_err(|_| closed())?
    }

    /// Moves everything from the write-ahead log into the database and empties the log.
    pub(crate) async fn checkpoint(&self) -> Result<(), PortError> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Checkpoint(answer)).await?;
        answered.await.map_err(|_| closed())?
    }

    /// Finishes what is queued, refuses what comes later, and gives the folder free.
    pub(crate) async fn stop(&self) -> Result<(), PortError> {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Message::Stop(answer)).await.is_err() {
            return Ok(());
        }
        // No answer: somebody else stopped it in the same moment.
        answered.await.unwrap_or(Ok(()))
    }

    async fn send(&self, message: Message) -> Result<(), PortError> {
        self.queue.send(message).await.map_err(|_| closed())
    }
}

/// The error of everything that comes after [`Writer::stop`].
pub(crate) fn closed() -> PortError {
    PortError::Unavailable("the engine is closed".to_owned())
}

type Answer = oneshot::Sender<Result<(), PortError>>;

enum Message {
    Task(Box<dyn Task>),
    Checkpoint(Answer),
    Stop(Answer),
}

/// A queued write with its caller.
trait Task: Send {
    /// Runs it and keeps what it said for [`Task::answer`].
    fn run(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()>;
    /// Tells the caller: the failure of the transaction, or else what the operation said.
    fn answer(self: Box<Self>, failure: Option<PortError>);
}

struct Operation<F, T> {
    operation: F,
    outcome: Option<Result<T, PortError>>,
    answer: oneshot::Sender<Result<T, PortError>>,
}

impl<F, T> Task for Operation<F, T>
where
    F: Fn(&Transaction<'_>) -> Result<T, Stop> + Send,
    T: Send,
{
    fn run(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        self.outcome = match (self.operation)(transaction) {
            Ok(value) => Some(Ok(value)),
            Err(Stop::Refused(error)) => Some(Err(error)),
            Err(Stop::Failed(error)) => return Err(error),
        };
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<PortError>) {
        let outcome = match failure {
            Some(error) => Err(error),
            None => self.outcome.unwrap_or_else(|| Err(closed())),
        };
        // A caller that stopped waiting does not want to know.
        let _ = self.answer.send(outcome);
    }
}

/// Where a group broke.
enum Broken {
    /// One of its operations failed; the others may be fine.
    Operation(rusqlite::Error),
    /// The transaction could not begin or commit.
    Transaction(rusqlite::Error),
}

struct Worker {
    // Closed before the folder is given free: fields are dropped in this order.
    connection: Connection,
    _lock: FolderLock,
    log: Log,
    clock: Arc<dyn Clock>,
    signals: Arc<Signals>,
    sweep: Sweep,
}

/// Adds what comes until there are `expected` messages, for a moment at most. A lone writer never waits.
fn gather(waiting: &mut mpsc::Receiver<Message>, messages: &mut Vec<Message>, expected: usize) {
    let begun = Instant::now();
    while messages.len() + waiting.len() < expected && begun.elapsed() < GATHERING {
        thread::yield_now();
    }
    while messages.len() < GROUP_LIMIT
        && let Ok(message) = waiting.try_recv()
    {
        messages.push(message);
    }
}

impl Worker {
    fn run(mut self, mut waiting: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(GROUP_LIMIT);
        let mut group = Vec::with_capacity(GROUP_LIMIT);
        let mut stops = Vec::new();
        let mut expected = 0;
        while waiting.blocking_recv_many(&mut messages, GROUP_LIMIT) > 0 {
            gather(&mut waiting, &mut messages, expected);
            expected = messages.len();
            let mut checkpoints = Vec::new();
            for message in messages.drain(..) {
                match message {
                    Message::Task(task) => group.push(task),
                    Message::Checkpoint(answer) => checkpoints.push(answer),
                    Message::Stop(answer) => stops.push(answer),
                }
            }
            self.commit_group(&mut group);
            for answer in checkpoints {
                let _ = answer.send(self.empty_log());
            }
            if stops.is_empty() {
                self.maintain();
            } else {
                waiting.close();
            }
        }
        // Even if this fails, nothing is lost: the next start reads it from the log.
        let mut emptied = Some(self.empty_log());
        // Who is told that it has stopped finds the folder free.
        drop(self);
        for answer in stops {
            let _ = answer.send(emptied.take().unwrap_or(Ok(())));
        }
    }

    /// Runs all in one transaction and answers all. When one fails, each runs again by itself, so that only those fail
    /// that have to.
    fn commit_group(&mut self, group: &mut Vec<Box<dyn Task>>) {
        match self.attempt(group) {
            Ok(()) => group.drain(..).for_each(|task| task.answer(None)),
            Err(Broken::Operation(_)) if group.len() > 1 => {
                for mut task in group.drain(..) {
                    let failure = self.attempt(std::slice::from_mut(&mut task)).err();
                    task.answer(failure.map(|broken| broken.told()));
                }
            },
            Err(broken) => group.drain(..).for_each(|task| task.answer(Some(broken.told()))),
        }
    }

    fn attempt(&mut self, group: &mut [Box<dyn Task>]) -> Result<(), Broken> {
        if group.is_empty() {
            return Ok(());
        }
        let transaction = Transaction {
            connection: &self.connection,
            now_ms: time_ms(self.clock.now()),
            appended: Cell::new(0),
            work_changed: Cell::new(false),
        };
        let begun = transaction.execute("BEGIN IMMEDIATE", []).map_err(Broken::Transaction);
        let ran = begun.and_then(|_| {
            group.iter_mut().try_for_each(|task| task.run(&transaction)).map_err(Broken::Operation)
        });
        let done = ran.and_then(|()| transaction.execute("COMMIT", []).map_err(Broken::Transaction));
        if let Err(broken) = done {
            self.undo();
            return Err(broken);
        }
        let position = transaction.appended.get();
        if position > 0 {
            self.signals.appended.send_replace(position);
        }
        if transaction.work_changed.get() {
            self.signals.work.send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(())
    }

    fn undo(&self) {
        // After some failures SQLite has rolled back by itself already.
        if self.connection.is_autocommit() {
            return;
        }
        if let Err(error) = self.connection.execute_batch("ROLLBACK") {
            tracing::error!(%error, "a failed transaction could not be rolled back");
        }
    }

    fn maintain(&mut self) {
        if let Err(error) = self.log.bound(&self.connection) {
            tracing::warn!(%error, "a long write-ahead log could not be emptied; it is tried again when it is longer");
        }
        let now_ms = time_ms(self.clock.now());
        if !self.sweep.is_due(now_ms) {
            return;
        }
        if let Err(error) = self.sweep.run(&mut self.connection, now_ms) {
            tracing::warn!(%error, "expired rows could not be removed; they are tried again later");
        }
    }

    fn empty_log(&self) -> Result<(), PortError> {
        if log::empty(&self.connection).map_err(|error| port_error(&error))? {
            return Ok(());
        }
        Err(PortError::Unavailable("a long read keeps the write-ahead log from being emptied".to_owned()))
    }
}

impl Broken {
    fn told(&self) -> PortError {
        match self {
            Self::Operation(error) | Self::Transaction(error) => port_error(error),
        }
    }
}
