use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::PortError;

/// A queue of due rows. Its name is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Queue(pub &'static str);

impl Queue {
    /// Deliveries to webhook endpoints.
    pub const WEBHOOKS: Self = Self("webhooks");
    /// Receipts whose message is not known yet.
    pub const RECEIPTS: Self = Self("receipts");
}

/// Something to run at a time. The payload names things by id and carries no content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Unique in its queue; pushing the same id again while the job is there changes nothing.
    pub id: String,
    /// JSON of up to 4 KiB.
    pub payload: String,
    /// Not before this time.
    pub due_at: Timestamp,
}

/// A leased job: nobody else gets it until the lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its payload.
    pub payload: String,
    /// How often it was leased, this time included.
    pub attempts: u32,
    /// Proof of this lease. A late worker whose lease has passed to another cannot end the job.
    pub lease: String,
}

/// A job that nobody could do.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Due rows: run this at that time, with lease, attempts, dead letters and redrive. At least once.
#[async_trait]
pub trait Work: Send + Sync {
    /// Adds jobs, up to 1,000 at once. Durable when this returns.
    async fn push(&self, queue: Queue, jobs: Vec<NewJob>) -> Result<(), PortError>;

    /// Up to `limit` due jobs, the longest due first, each leased for `lease`. A job whose lease ran out is due again.
    async fn lease(&self, queue: Queue, limit: usize, lease: Duration) -> Result<Vec<Job>, PortError>;

    /// The job is done and gone. [`PortError::Conflict`] when the lease is not the current one.
    async fn complete(&self, queue: Queue, job: &Job) -> Result<(), PortError>;

    /// Run it again at `due_at`. [`PortError::Conflict`] when the lease is not the current one.
    async fn retry(&self, queue: Queue, job: &Job, due_at: Timestamp) -> Result<(), PortError>;

    /// Nobody can do it: keep it among the dead letters. [`PortError::Conflict`] when the lease is not the current one.
    async fn bury(&self, queue: Queue, job: &Job, reason: &str) -> Result<(), PortError>;

    /// Dead letters, oldest first.
    async fn dead(&self, queue: Queue, limit: usize) -> Result<Vec<DeadJob>, PortError>;

    /// Makes a dead letter due now, its attempts counted from zero. [`PortError::NotFound`] when there is none.
    async fn redrive(&self, queue: Queue, id: &str) -> Result<(), PortError>;

    /// Returns when a job may have become due (it may be a false alarm), at the latest after a second.
    async fn changed(&self, queue: Queue);
}
