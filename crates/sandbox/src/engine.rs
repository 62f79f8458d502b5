//! The engine: one thread owns the database and all state, and does one piece of work after the other.
//!
//! Work that waits together is committed together. What it says to the outside (stanzas, answers, closed
//! sockets) is held back until the commit stands, so nobody ever sees something that a killed process forgets.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use crate::error::Failure;
use crate::live::{ConnectionId, Live};
use crate::schedule;
use crate::store::Query;
use crate::turn::{Effect, Turn};
use crate::{Options, identity::ServerIdentity};

/// Pieces of work in one transaction.
const BATCH: usize = 64;
/// The longest sleep. With a clock that tests advance, sleeping until the next action would be wrong.
const IDLE: Duration = Duration::from_millis(250);

pub(crate) type Work = Box<dyn FnOnce(&mut Turn<'_>) + Send>;

enum Message {
    Work(Work),
    /// Stop after what is queued; close the sockets in order, answer when done.
    Stop(oneshot::Sender<()>),
    /// Stop at once, as a killed process does.
    Abort,
}

/// What connections and handlers hold.
#[derive(Clone)]
pub(crate) struct Engine {
    inbox: Sender<Message>,
    pub shared: Arc<Shared>,
}

/// What never changes while the sandbox is open.
pub(crate) struct Shared {
    pub identity: ServerIdentity,
    pub options: Options,
    /// One for each upload that is being read.
    pub uploads: Semaphore,
}

impl Engine {
    pub(crate) fn start(db: Connection, shared: Shared) -> std::io::Result<Self> {
        let (inbox, work) = channel();
        let shared = Arc::new(shared);
        let mut state = State {
            db,
            live: Live::default(),
            shared: Arc::clone(&shared),
            effects: Vec::new(),
            ending: None,
        };
        std::thread::Builder::new().name("sandbox".to_owned()).spawn(move || state.run(&work))?;
        Ok(Self { inbox, shared })
    }

    /// Does the work, all or nothing, and gives its result after the commit.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Turn<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, wait) = oneshot::channel();
        self.submit(Box::new(move |turn| {
            let result = turn.attempt(work);
            turn.after_commit(move |committed| {
                let _ = answer.send(if committed { result } else { Err(Failure::Stopped) });
            });
        }));
        wait.await.map_err(|_| Failure::Stopped)?
    }

    /// Does the work, all or nothing. A failure is logged, and cuts the connection when it is the database's.
    /// `held` is dropped after the commit.
    pub(crate) fn post(
        &self,
        connection: ConnectionId,
        held: impl Send + 'static,
        work: impl FnOnce(&mut Turn<'_>) -> Result<(), Failure> + Send + 'static,
    ) {
        self.submit(Box::new(move |turn| {
            match turn.attempt(work) {
                Ok(()) => {},
                Err(Failure::Database(error)) => {
                    tracing::error!(%error, "the sandbox cannot store a stanza");
                    turn.close(connection);
                },
                Err(failure) => tracing::debug!(%failure, "a stanza was not handled"),
            }
            turn.after_commit(move |_| drop(held));
        }));
    }

    /// Does nothing but look at the clock.
    pub(crate) fn wake(&self) {
        self.submit(Box::new(|_| {}));
    }

    pub(crate) async fn stop(&self) {
        let (done, wait) = oneshot::channel();
        if self.inbox.send(Message::Stop(done)).is_ok() {
            let _ = wait.await;
        }
    }

    pub(crate) fn abort(&self) {
        let _ = self.inbox.send(Message::Abort);
    }

    fn submit(&self, work: Work) {
        // A stopped engine drops the work; who waits for an answer sees its channel close.
        let _ = self.inbox.send(Message::Work(work));
    }
}

struct State {
    db: Connection,
    live: Live,
    shared: Arc<Shared>,
    effects: Vec<Effect>,
    /// A message other than work that ended a batch.
    ending: Option<Message>,
}

impl State {
    fn run(&mut self, inbox: &Receiver<Message>) {
        loop {
            let next = match self.ending.take() {
                Some(end) => Ok(end),
                None => inbox.recv_timeout(self.sleep()),
            };
            let first = match next {
                Ok(Message::Work(work)) => Some(work),
                Ok(Message::Stop(done)) => {
                    self.live.close_all();
                    if let Err(error) = self.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
                        tracing::warn!(%error, "the sandbox's log was not written back");
                    }
                    let _ = done.send(());
                    return;
                },
                Err(RecvTimeoutError::Timeout) => None,
                Ok(Message::Abort) | Err(RecvTimeoutError::Disconnected) => {
                    self.live.close_all();
                    return;
                },
            };
            if first.is_some() || self.something_due() {
                self.batch(first, inbox);
            }
        }
    }

    fn sleep(&self) -> Duration {
        let due = self
            .db
            .one("SELECT min(due_at) FROM action", [], |row| row.get::<_, Option<i64>>(0))
            .ok()
            .flatten()
            .flatten();
        let wait_ms = due.map_or(i64::MAX, |due| due.saturating_sub((self.shared.options.clock)()));
        IDLE.min(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
    }

    fn something_due(&self) -> bool {
        let now = (self.shared.options.clock)();
        self.db
            .number("SELECT count(*) FROM (SELECT 1 FROM action WHERE due_at <= ? LIMIT 1)", [now])
            .is_ok_and(|due| due > 0)
    }

    fn batch(&mut self, first: Option<Work>, inbox: &Receiver<Message>) {
        let begun = self.db.execute_batch("BEGIN IMMEDIATE");
        if begun.is_ok() {
            let mut next = first;
            let mut done = 0;
            while let Some(work) = next {
                work(&mut self.turn());
                done += 1;
                next = if done < BATCH { self.more(inbox) } else { None };
            }
            schedule::run_due(&mut self.turn());
        }
        let committed = begun.and_then(|()| self.db.execute_batch("COMMIT"));
        if let Err(error) = &committed {
            tracing::error!(%error, "the sandbox cannot commit; every connection is closed");
            // Memory may be ahead of the file now: forget it, and let clients come back to what is stored.
            let _ = self.db.execute_batch("ROLLBACK");
            self.live.close_all();
        }
        self.live.fire(self.effects.drain(..), committed.is_ok());
    }

    fn more(&mut self, inbox: &Receiver<Message>) -> Option<Work> {
        match inbox.try_recv() {
            Ok(Message::Work(work)) => Some(work),
            Ok(end) => {
                self.ending = Some(end);
                None
            },
            Err(_) => None,
        }
    }

    fn turn(&mut self) -> Turn<'_> {
        Turn::new(&self.db, &mut self.live, &self.shared, &mut self.effects)
    }
}
