//! The buckets of a process, and its share of those that several have in common.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use waxwing_app::{
    keys,
    ports::{Key, Records},
};
use waxwing_domain::AccountId;

use super::{
    bucket::{Allowance, Bucket, Standing},
    lease::{self, Lease},
    table::{Limit, PROCESS},
};

/// Most buckets at the same time. When a half is used up, those are forgotten that nobody has touched since the last time.
const BUCKETS_MAX: usize = 100_000;

/// Whose bucket it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Holder {
    limit: &'static str,
    account: AccountId,
    whose: String,
    allowance: (u32, u32),
}

impl Holder {
    /// Of an account; `whose` inside it.
    pub(crate) fn new(limit: &'static Limit, account: AccountId, whose: impl Into<String>) -> Self {
        let allowance = (limit.burst, limit.window_s);
        Self { limit: limit.name, account, whose: whose.into(), allowance }
    }

    /// Of nobody's account.
    pub(crate) fn stranger(limit: &'static Limit, whose: impl Into<String>) -> Self {
        Self::new(limit, AccountId::SYSTEM, whose)
    }

    /// With another figure than the table's.
    pub(crate) fn holding(self, burst: u32) -> Self {
        Self { allowance: (burst, self.allowance.1), ..self }
    }

    fn allowance(&self) -> Allowance {
        Allowance { burst: self.allowance.0, window_s: self.allowance.1 }
    }

    fn key(&self) -> Key {
        keys::rate_limit(self.account, self.limit, &self.whose)
    }
}

/// What a process knows of a bucket.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// The bucket; where processes share it, what was left in the row when it was last seen.
    bucket: Bucket,
    /// Taken out of the row and not spent.
    leased: f64,
    /// The row has nothing for us before.
    asks_at: Timestamp,
}

/// Two generations: whatever is touched is young, and when there are too many young ones the old are forgotten.
#[derive(Default)]
struct Generations {
    young: HashMap<Holder, Kept>,
    old: HashMap<Holder, Kept>,
}

impl Generations {
    fn get(&mut self, holder: &Holder, new: impl FnOnce() -> Kept) -> &mut Kept {
        if self.young.len() >= BUCKETS_MAX / 2 && !self.young.contains_key(holder) {
            self.old = std::mem::take(&mut self.young);
        }
        let old = &mut self.old;
        self.young.entry(holder.clone()).or_insert_with(|| old.remove(holder).unwrap_or_else(new))
    }
}

/// The buckets of this process, and its leases of shared ones.
#[derive(Default)]
pub struct RateLimits {
    buckets: Mutex<Generations>,
    shared: Option<Arc<dyn Records>>,
    unlimited: bool,
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RateLimits").field("shared", &self.shared.is_some()).finish_non_exhaustive()
    }
}

impl RateLimits {
    /// For one of several processes: they hold the limits together, but for a lease of a tenth that each may have.
    pub fn shared(records: Arc<dyn Records>) -> Self {
        Self { shared: Some(records), ..Self::default() }
    }

    /// Counts nothing: to measure what counting costs.
    pub fn unlimited() -> Self {
        Self { unlimited: true, ..Self::default() }
    }

    /// Takes a token, if there is one.
    pub(crate) async fn take(&self, holder: &Holder, now: Timestamp) -> Standing {
        if self.unlimited {
            let (allowance, none) = (holder.allowance(), SignedDuration::ZERO);
            return Standing::new(allowance, f64::from(allowance.burst), true, none);
        }
        let Some(records) = self.shared.as_ref().filter(|_| holder.limit != PROCESS.name) else {
            return self.take_here(holder, now);
        };
        if let Some(standing) = self.spend(holder, now) {
            return standing;
        }
        let lease = lease::take(&**records, &holder.key(), holder.allowance(), now).await;
        self.note(holder, lease);
        self.spend(holder, now).unwrap_or_else(|| refused(holder, lease.left, lease.asks_at, now))
    }

    /// Gives a token back that was taken for nothing.
    pub(crate) fn give_back(&self, holder: &Holder, now: Timestamp) {
        let mut buckets = self.buckets();
        let kept = buckets.get(holder, || unseen(holder, now));
        match self.shared {
            Some(_) => kept.leased += 1.0,
            None => {
                let burst = f64::from(kept.bucket.allowance.burst);
                kept.bucket.tokens = burst.min(kept.bucket.tokens + 1.0);
            },
        }
    }

    /// How many buckets are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let buckets = self.buckets();
        buckets.young.len() + buckets.old.len()
    }

    fn buckets(&self) -> MutexGuard<'_, Generations> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_here(&self, holder: &Holder, now: Timestamp) -> Standing {
        let mut buckets = self.buckets();
        let bucket = &mut buckets.get(holder, || unseen(holder, now)).bucket;
        *bucket = bucket.refilled(now);
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        Standing::new(holder.allowance(), bucket.tokens, allowed, SignedDuration::ZERO)
    }

    /// Spends what was leased, or refuses while there is nothing to be had. `None` when the row has to be asked.
    fn spend(&self, holder: &Holder, now: Timestamp) -> Option<Standing> {
        let mut buckets = self.buckets();
        let kept = buckets.get(holder, || unseen(holder, now));
        if kept.leased >= 1.0 {
            kept.leased -= 1.0;
            let tokens = kept.bucket.refilled(now).tokens + kept.leased;
            return Some(Standing::new(holder.allowance(), tokens, true, SignedDuration::ZERO));
        }
        (now < kept.asks_at).then(|| refused(holder, kept.bucket, kept.asks_at, now))
    }

    fn note(&self, holder: &Holder, lease: Lease) {
        let mut buckets = self.buckets();
        let kept = buckets.get(holder, || unseen(holder, lease.left.at));
        *kept = Kept { bucket: lease.left, leased: kept.leased + lease.tokens, asks_at: lease.asks_at };
    }
}

fn unseen(holder: &Holder, now: Timestamp) -> Kept {
    Kept { bucket: Bucket::full(holder.allowance(), now), leased: 0.0, asks_at: now }
}

fn refused(holder: &Holder, left: Bucket, asks_at: Timestamp, now: Timestamp) -> Standing {
    // Less than one, so far as this process can have it.
    let tokens = left.refilled(now).tokens.min(0.99);
    Standing::new(holder.allowance(), tokens, false, asks_at.duration_since(now))
}
