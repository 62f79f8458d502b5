//! What several processes share: a bucket that is a row. A process takes a tenth of it at once, by a conditional write, and
//! spends that without asking.

use jiff::{SignedDuration, Timestamp};
use waxwing_app::{
    ports::{Consistency, Guard, Key, PortError, Records, Row, Write},
    rows,
};

use super::bucket::{Allowance, Bucket};

/// A lease is this part of what a bucket holds. So of a full bucket ten are taken, and ten more in each window.
const PARTS: u32 = 10;
/// How often a process tries when others take from the bucket at the same moment.
const TRIES_MAX: usize = 8;
/// A row is kept so much longer than its bucket takes to fill: clocks differ.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// Tokens of a lease from which on a bucket is large.
const LARGE: f64 = 100.0;

/// What a process got.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    /// Whole tokens; none where the bucket is empty.
    pub(super) tokens: f64,
    /// What is in the row now.
    pub(super) left: Bucket,
    /// Nothing is to be had before: then there is a whole lease again.
    pub(super) asks_at: Timestamp,
}

/// How many tokens a lease has.
pub(super) fn size(allowance: Allowance) -> f64 {
    f64::from(allowance.burst.div_ceil(PARTS))
}

/// Takes a lease, or what there is of one. Where the row cannot be read or written a lease is given all the same: a limit
/// must not be what stops the service. Who always finds others faster gets one of a large bucket only: those who guess
/// secrets could make the others, and their buckets are small.
pub(super) async fn take(records: &dyn Records, key: &Key, allowance: Allowance, now: Timestamp) -> Lease {
    let mut is_given = size(allowance) >= LARGE;
    for _ in 0..TRIES_MAX {
        match try_take(records, key, allowance, now).await {
            Ok(Some(lease)) => return lease,
            // Another process was faster.
            Ok(None) => {},
            Err(error) => {
                tracing::warn!(%error, "a rate limit is kept by each process alone for a moment");
                is_given = true;
                break;
            },
        }
    }
    let tokens = if is_given { size(allowance) } else { 0.0 };
    let empty = Bucket { allowance, tokens: 0.0, at: now };
    Lease { tokens, left: empty, asks_at: asks_at(empty, now) }
}

async fn try_take(
    records: &dyn Records,
    key: &Key,
    allowance: Allowance,
    now: Timestamp,
) -> Result<Option<Lease>, PortError> {
    let found = records.get(key, Consistency::Strong).await?;
    let bucket = match &found {
        Some(row) => rows::value::<Bucket>(row)?.of(allowance, now),
        None => Bucket::full(allowance, now),
    };
    let tokens = bucket.tokens.floor().min(size(allowance));
    let left = Bucket { tokens: bucket.tokens - tokens, ..bucket };
    let asks_at = if tokens < size(allowance) { asks_at(left, now) } else { now };
    let lease = Lease { tokens, left, asks_at };
    if tokens < 1.0 {
        return Ok(Some(lease));
    }
    let (version, guard) =
        found.map_or((1, Guard::Absent), |row| (row.version + 1, Guard::Exactly(row.version)));
    // Full by then, which is what no row means.
    let expires_at = now.checked_add(SignedDuration::from_secs(allowance.window_s.into()) + MARGIN).ok();
    let row = Row { expires_at, ..rows::row(key.clone(), version, &left)? };
    let written = records.write_each(vec![Write::Put(row, guard)]).await?;
    Ok((written == [true]).then_some(lease))
}

fn asks_at(left: Bucket, now: Timestamp) -> Timestamp {
    let wait = left.allowance.time_for(size(left.allowance) - left.tokens);
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}
