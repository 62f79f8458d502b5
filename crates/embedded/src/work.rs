use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};
use waxwing_app::ports::{DeadJob, Entropy, EntropyExt as _, Job, NewJob, PortError, Queue, Work};

use crate::{
    codec::{limit as sql_limit, time, time_ms},
    failure::{Stop, over_limit},
    store::Store,
    writer::Transaction,
};

const PUSH_LIMIT: usize = 1000;
const PAYLOAD_LIMIT_BYTES: usize = 4 << 10;
/// A worker looks by itself this often, whatever it was told.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Due rows in a table.
pub(crate) struct SqliteWork {
    pub(crate) store: Arc<Store>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

#[async_trait]
impl Work for SqliteWork {
    async fn push(&self, queue: Queue, jobs: Vec<NewJob>) -> Result<(), PortError> {
        if jobs.len() > PUSH_LIMIT {
            return Err(over_limit("jobs at once", PUSH_LIMIT));
        }
        if jobs.iter().any(|job| job.payload.len() > PAYLOAD_LIMIT_BYTES) {
            return Err(over_limit("bytes in a job's payload", PAYLOAD_LIMIT_BYTES));
        }
        self.store.writer.run(move |transaction| push(transaction, queue, &jobs)).await
    }

    async fn lease(&self, queue: Queue, limit: usize, lease: Duration) -> Result<Vec<Job>, PortError> {
        let token: [u8; 16] = self.entropy.bytes();
        let token = format!("{:032x}", u128::from_be_bytes(token));
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        self.store.writer.run(move |transaction| take(transaction, queue, limit, lease_ms, &token)).await
    }

    async fn complete(&self, queue: Queue, job: &Job) -> Result<(), PortError> {
        let job = job.clone();
        let complete = move |transaction: &Transaction<'_>| {
            let sql = "DELETE FROM jobs WHERE queue = ?1 AND id = ?2 AND lease = ?3";
            held(transaction.execute(sql, params![queue.0, job.id, job.lease])?, &job)
        };
        self.store.writer.run(complete).await
    }

    async fn retry(&self, queue: Queue, job: &Job, due_at: Timestamp) -> Result<(), PortError> {
        let job = job.clone();
        let retry = move |transaction: &Transaction<'_>| {
            let sql = "UPDATE jobs SET due_ms = ?4, attempts = ?5, lease = NULL WHERE queue = ?1 AND id = ?2 AND lease = ?3";
            let values = params![queue.0, job.id, job.lease, time_ms(due_at), job.attempts];
            transaction.work_changed();
            held(transaction.execute(sql, values)?, &job)
        };
        self.store.writer.run(retry).await
    }

    async fn bury(&self, queue: Queue, job: &Job, reason: &str) -> Result<(), PortError> {
        let (job, reason) = (job.clone(), reason.to_owned());
        self.store.writer.run(move |transaction| bury(transaction, queue, &job, &reason)).await
    }

    async fn dead(&self, queue: Queue, limit: usize) -> Result<Vec<DeadJob>, PortError> {
        let read = move |connection: &rusqlite::Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, payload, attempts, reason, at_ms FROM dead_jobs WHERE queue = ?1 ORDER BY number LIMIT ?2",
            )?;
            let rows = statement.query_map(params![queue.0, sql_limit(limit)], |row| {
                Ok(DeadJob {
                    id: row.get(0)?,
                    payload: row.get(1)?,
                    attempts: row.get(2)?,
                    reason: row.get(3)?,
                    at: time(4, row.get(4)?)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        self.store.readers.read(read).await
    }

    async fn redrive(&self, queue: Queue, id: &str) -> Result<(), PortError> {
        let id = id.to_owned();
        self.store.writer.run(move |transaction| redrive(transaction, queue, &id)).await
    }

    async fn discard(&self, queue: Queue, id: &str) -> Result<(), PortError> {
        let id = id.to_owned();
        self.store.writer.run(move |transaction| take_dead(transaction, queue, &id).map(drop)).await
    }

    async fn changed(&self, queue: Queue) {
        // Subscribed before looking: a push between the two is seen by one of them.
        let mut work = self.store.signals.work.subscribe();
        let next = self.store.readers.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT min(due_ms) FROM jobs WHERE queue = ?1")?;
            Ok(statement.query_row([queue.0], |row| row.get::<_, Option<i64>>(0))?)
        });
        let wait = match next.await {
            Ok(Some(due_ms)) => {
                let wait_ms = due_ms.saturating_sub(time_ms(self.store.clock.now()));
                Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)).min(LONGEST_WAIT)
            },
            // A failure is told to the one who leases next.
            Ok(None) | Err(_) => LONGEST_WAIT,
        };
        // Whichever comes first: a time-out is an answer, too.
        let _ = tokio::time::timeout(wait, work.changed()).await;
    }
}

fn push(transaction: &Transaction<'_>, queue: Queue, jobs: &[NewJob]) -> Result<(), Stop> {
    let mut statement = transaction.prepare(
        "INSERT INTO jobs (queue, id, payload, due_ms, attempts) VALUES (?1, ?2, ?3, ?4, 0)
         ON CONFLICT (queue, id) DO NOTHING",
    )?;
    for job in jobs {
        statement.execute(params![queue.0, job.id, job.payload, time_ms(job.due_at)])?;
    }
    transaction.work_changed();
    Ok(())
}

fn take(
    transaction: &Transaction<'_>,
    queue: Queue,
    limit: usize,
    lease_ms: i64,
    token: &str,
) -> Result<Vec<Job>, Stop> {
    let mut due = transaction.prepare(
        "SELECT id, payload, attempts FROM jobs WHERE queue = ?1 AND due_ms <= ?2 ORDER BY due_ms, rowid LIMIT ?3",
    )?;
    let rows = due.query_map(params![queue.0, transaction.now_ms, sql_limit(limit)], |row| {
        let attempts: u32 = row.get(2)?;
        let (id, payload) = (row.get(0)?, row.get(1)?);
        Ok(Job { id, payload, attempts: attempts.saturating_add(1), lease: token.to_owned() })
    })?;
    let jobs = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut lease = transaction
        .prepare("UPDATE jobs SET due_ms = ?3, attempts = ?4, lease = ?5 WHERE queue = ?1 AND id = ?2")?;
    let ends_ms = transaction.now_ms.saturating_add(lease_ms);
    for job in &jobs {
        lease.execute(params![queue.0, job.id, ends_ms, job.attempts, job.lease])?;
    }
    Ok(jobs)
}

fn bury(transaction: &Transaction<'_>, queue: Queue, job: &Job, reason: &str) -> Result<(), Stop> {
    let removed = transaction.execute(
        "DELETE FROM jobs WHERE queue = ?1 AND id = ?2 AND lease = ?3",
        params![queue.0, job.id, job.lease],
    )?;
    held(removed, job)?;
    transaction.execute(
        // An older dead letter of the same id gives way: there is one job of each id.
        "INSERT OR REPLACE INTO dead_jobs (queue, id, payload, attempts, reason, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![queue.0, job.id, job.payload, job.attempts, reason, transaction.now_ms],
    )?;
    Ok(())
}

/// Takes a dead letter away; its payload.
fn take_dead(transaction: &Transaction<'_>, queue: Queue, id: &str) -> Result<String, Stop> {
    let payload: Option<String> = transaction
        .prepare("DELETE FROM dead_jobs WHERE queue = ?1 AND id = ?2 RETURNING payload")?
        .query_row(params![queue.0, id], |row| row.get(0))
        .optional()?;
    payload.ok_or_else(|| Stop::Refused(PortError::NotFound(format!("no dead letter {id} in {}", queue.0))))
}

fn redrive(transaction: &Transaction<'_>, queue: Queue, id: &str) -> Result<(), Stop> {
    let payload = take_dead(transaction, queue, id)?;
    transaction.execute(
        // The same id pushed again meanwhile is this job already.
        "INSERT INTO jobs (queue, id, payload, due_ms, attempts) VALUES (?1, ?2, ?3, ?4, 0)
         ON CONFLICT (queue, id) DO NOTHING",
        params![queue.0, id, payload, transaction.now_ms],
    )?;
    transaction.work_changed();
    Ok(())
}

/// Whether the statement found the job under this lease.
fn held(changed: usize, job: &Job) -> Result<(), Stop> {
    if changed == 0 {
        return Err(Stop::Refused(PortError::Conflict(format!(
            "the lease of job {} is not the current one",
            job.id
        ))));
    }
    Ok(())
}
