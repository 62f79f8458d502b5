use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use super::PortError;

/// A queue of due rows. Its name is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Queue(pub &'static str);

impl Queue {
    /// Deliveries to webhook endpoints.
    pub const WEBHOOKS: Self = Self("webhooks");
    /// Receipts whose message is not known yet.
    pub const RECEIPTS: Self = Self("receipts");
    /// Mails to people.
    pub const MAILS: Self = Self("mails");
    /// All of them.
    pub const ALL: [Self; 3] = [Self::WEBHOOKS, Self::RECEIPTS, Self::MAILS];
}

/// Something to run at a time. The payload names things by id and carries no content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Names the job in its queue. With an exclusive engine an id is there once, and pushing it again meanwhile changes
    /// nothing; others may run it once for each push.
    pub id: String,
    /// JSON of up to 4 KiB.
    pub payload: String,
    /// Not before this time.
    pub due_at: Timestamp,
}

/// A leased job: nobody else gets it until the lease ends. Of an engine that is not exclusive, others may have copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its payload.
    pub payload: String,
    /// How often it was leased, this time included.
    pub attempts: u32,
    /// Proof of this lease. With an exclusive engine, a late worker whose lease has passed to another cannot end the job.
    pub lease: String,
}

/// A job that nobody could do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadJob {
    /// Its id.
    pub id: String,
    /// Its payload.
    pub payload: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Run this at that time: lease, attempts, dead letters, redrive. At least once.
///
/// Every engine promises: a job runs at or after its time and never before; a leased job goes to nobody else while its
/// lease lasts, and is due again when it ran out; a retry waits for its time; attempts count on through both; a buried
/// job does not run and is kept (an engine may end that after two weeks or more); queues do not mix. What is ended may
/// run again all the same when the answer to its end was lost, so a handler has to be idempotent.
///
/// An **exclusive** engine (the embedded one is, SQS is not) promises more: an id is in its queue once, a look brings
/// all that is due, the longest due first, only the current lease ends a job, and dead letters come oldest first.
/// Without it the same job may be there several times, each copy with its own lease and its own end: a webhook is then
/// told again under the same `webhook-id`, by which its receiver knows it.
#[async_trait]
pub trait Work: Send + Sync {
    /// Adds jobs, up to 1,000 at once. Durable when this returns. After an error any of them may be there.
    async fn push(&self, queue: Queue, jobs: Vec<NewJob>) -> Result<(), PortError>;

    /// Up to `limit` due jobs, each leased for `lease`. Exclusive engines: all that is due up to the limit, the longest
    /// due first. Others may leave some out until a later look.
    async fn lease(&self, queue: Queue, limit: usize, lease: Duration) -> Result<Vec<Job>, PortError>;

    /// The job is done and gone. When it is gone already, or another holds it: [`PortError::Conflict`] of an exclusive
    /// engine; others may say `Ok` as well.
    async fn complete(&self, queue: Queue, job: &Job) -> Result<(), PortError>;

    /// Run it again at `due_at`; its attempts count on from `job.attempts`, so a worker that did not try takes one off.
    /// When it is gone or another holds it: [`PortError::Conflict`] of an exclusive engine; with others it is due once
    /// more.
    async fn retry(&self, queue: Queue, job: &Job, due_at: Timestamp) -> Result<(), PortError>;

    /// Nobody can do it: keep it among the dead letters. When it is gone or another holds it: [`PortError::Conflict`] of
    /// an exclusive engine; with others it is kept once more.
    async fn bury(&self, queue: Queue, job: &Job, reason: &str) -> Result<(), PortError>;

    /// Dead letters. Exclusive engines: oldest first. Others show some of them when there are very many, or when another
    /// looks or redrives at the same time.
    async fn dead(&self, queue: Queue, limit: usize) -> Result<Vec<DeadJob>, PortError>;

    /// Makes a dead letter due now, its attempts counted from zero. [`PortError::NotFound`] when there is none;
    /// [`PortError::Unavailable`] when there are more than the engine can look through.
    async fn redrive(&self, queue: Queue, id: &str) -> Result<(), PortError>;

    /// Drops a dead letter for good. Errors as with [`Work::redrive`].
    async fn discard(&self, queue: Queue, id: &str) -> Result<(), PortError>;

    /// Returns when a job may have become due (it may be a false alarm), at the latest after a second.
    async fn changed(&self, queue: Queue);
}
