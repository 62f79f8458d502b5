//! Works a queue off, some jobs side by side.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use tokio::sync::watch;

use crate::ports::{Job, PortError, Queue, Work};

/// Pause after the engine failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Does the jobs of one queue.
#[async_trait]
pub trait JobHandler: Send + Sync {
    /// Which queue.
    fn queue(&self) -> Queue;

    /// One leased job. When it returns, the job is completed, due again, or buried; on an error it is still leased.
    async fn handle(&self, job: Job) -> Result<(), PortError>;
}

/// Leases jobs and hands them to a handler.
pub struct Worker {
    /// The queue's engine.
    pub work: Arc<dyn Work>,
    /// Who does the jobs.
    pub handler: Arc<dyn JobHandler>,
    /// How many are leased at once.
    pub batch: usize,
    /// How many of them are done at the same time.
    pub side_by_side: usize,
    /// Longer than all of a batch takes.
    pub lease: Duration,
}

impl Worker {
    /// Runs until `stop` becomes true; what is leased by then is finished.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let Self { work, handler, batch, side_by_side, lease } = self;
        let queue = handler.queue();
        while !*stop.borrow() {
            let jobs = match work.lease(queue, batch, lease).await {
                Ok(jobs) => jobs,
                Err(error) => {
                    tracing::warn!(queue = queue.0, %error, "jobs wait for the engine");
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE) => {}
                        _ = stop.changed() => {}
                    }
                    continue;
                },
            };
            if jobs.is_empty() {
                tokio::select! {
                    () = work.changed(queue) => {}
                    _ = stop.changed() => {}
                }
                continue;
            }
            let handled = stream::iter(jobs).for_each_concurrent(side_by_side, async |job| {
                let id = job.id.clone();
                if let Err(error) = handler.handle(job).await {
                    tracing::warn!(queue = queue.0, id, %error, "a job comes again when its lease ends");
                }
            });
            handled.await;
        }
    }
}
