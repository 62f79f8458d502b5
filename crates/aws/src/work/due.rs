//! The due index: jobs that are due later than SQS can hold them back. Rows in a few partitions, sorted by time, so that
//! what is due stands first and a missed minute is made good by the next.

use std::collections::{BTreeMap, HashSet};

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use waxwing_app::{
    keys,
    ports::{Bounds, Entropy, EntropyExt as _, Guard, Key, PortError, Query, Row, Write},
};

use super::{
    AwsWork,
    batch::{self, DELAY_LIMIT_S, Outgoing},
    body::Body,
};

/// Rows that are read, sent and deleted together.
const PAGE: usize = 250;
/// Pages of a partition that one run promotes; the next run goes on.
const PAGES_LIMIT: usize = 40;

/// A job that waits.
#[derive(Debug, Serialize, Deserialize)]
struct Waiting {
    queue: String,
    #[serde(flatten)]
    body: Body,
    due_at: Timestamp,
}

/// The row of a job that waits.
pub(super) fn row(
    queue: &str,
    body: &Body,
    due_at: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Row, PortError> {
    let waiting = Waiting { queue: queue.to_owned(), body: body.clone(), due_at };
    Ok(Row {
        key: keys::due_job(due_at, queue, &body.id),
        value: serde_json::to_vec(&waiting).map_err(|error| PortError::Corrupt(error.to_string()))?,
        // Drawn, so that a promotion does not delete a row that was put in the place of the one that it sent.
        version: u64::from_be_bytes(entropy.bytes()) >> 1,
        indexes: Vec::new(),
        expires_at: None,
    })
}

/// Durable when this returns.
pub(super) async fn write(work: &AwsWork, rows: Vec<Row>) -> Result<(), PortError> {
    let writes = rows.into_iter().map(|row| Write::Put(row, Guard::Always)).collect();
    work.records.write_each(writes).await.map(drop)
}

/// Sends what SQS can hold back by now; every partition, also when another failed. Says how many jobs that were.
pub(super) async fn promote(work: &AwsWork, now: Timestamp) -> Result<usize, PortError> {
    let partitions = (0..keys::DUE_SHARDS).map(|shard| promote_partition(work, now, keys::due_jobs(shard)));
    join_all(partitions).await.into_iter().sum()
}

async fn promote_partition(work: &AwsWork, now: Timestamp, partition: String) -> Result<usize, PortError> {
    let end = now.checked_add(SignedDuration::from_secs(DELAY_LIMIT_S)).unwrap_or(Timestamp::MAX);
    let mut bounds = Bounds { after: None, before: Some(keys::due_before(end)) };
    let (mut promoted, mut failure) = (0, None);
    for _ in 0..PAGES_LIMIT {
        let query = Query {
            index: 0,
            partition: partition.clone(),
            bounds: bounds.clone(),
            descending: false,
            limit: PAGE,
        };
        let rows = work.records.query(query).await?;
        let is_last = rows.len() < PAGE;
        // Also past what could not be sent: a queue that fails does not hold the others back.
        bounds.after = rows.last().map(|row| row.key.sort.clone());
        let (sent, error) = promote_rows(work, now, rows).await;
        promoted += sent;
        failure = failure.or(error);
        if is_last {
            break;
        }
    }
    failure.map_or(Ok(promoted), Err)
}

/// How many were promoted, and what kept one of the others from it.
async fn promote_rows(work: &AwsWork, now: Timestamp, rows: Vec<Row>) -> (usize, Option<PortError>) {
    let mut queues: BTreeMap<String, Vec<(Key, u64, Outgoing)>> = BTreeMap::new();
    let (mut promoted, mut failure) = (0, None);
    for Row { key, version, value, .. } in rows {
        match outgoing(now, &value) {
            Ok((queue, message)) => queues.entry(queue).or_default().push((key, version, message)),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    for (queue, rows) in queues {
        let (places, messages): (Vec<_>, Vec<_>) =
            rows.into_iter().map(|(key, version, message)| ((key, version), message)).unzip();
        let target = match work.target(&queue) {
            Ok(target) => target,
            Err(error) => {
                failure = failure.or(Some(error));
                continue;
            },
        };
        let unsent = batch::send(work, target, &messages).await;
        let left: HashSet<usize> = unsent.places.into_iter().collect();
        let sent = places.into_iter().enumerate().filter(|(place, _)| !left.contains(place));
        let deletes: Vec<_> =
            sent.map(|(_, (key, version))| Write::Delete(key, Guard::Exactly(version))).collect();
        promoted += deletes.len();
        // Behind the sending: a crash between the two repeats jobs, and the other way round would lose them.
        let deleted = work.records.write_each(deletes).await;
        failure = failure.or(unsent.error).or(deleted.err());
    }
    (promoted, failure)
}

fn outgoing(now: Timestamp, value: &[u8]) -> Result<(String, Outgoing), PortError> {
    let Waiting { queue, body, due_at } = serde_json::from_slice(value)
        .map_err(|error| PortError::Corrupt(format!("a job in the due index: {error}")))?;
    let delay_s = batch::delay_s(now, due_at)
        .ok_or_else(|| PortError::Corrupt(format!("job {} stands at another time than its own", body.id)))?;
    Ok((queue, Outgoing::new(&body, delay_s)?))
}
