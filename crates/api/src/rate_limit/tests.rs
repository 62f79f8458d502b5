use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use jiff::Timestamp;
use waxwing_app::ports::{Consistency, Guard, Key, PortError, Query, Records, Row, Write};
use waxwing_domain::AccountId;

use super::{
    limits::{Holder, RateLimits},
    table::{ACCOUNT, API_KEY, GUESSES_OF_USER_HERE, LIMITS},
};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + ms).unwrap()
}

fn account() -> Holder {
    Holder::new(&ACCOUNT, AccountId::from_parts((1, [1; 10])), "")
}

fn key(limit: u32) -> Holder {
    Holder::new(&API_KEY, AccountId::from_parts((1, [1; 10])), "key").holding(limit)
}

/// Rows in memory, which counts writes and can be out of order. What a row is, `conformance::records` holds.
#[derive(Default)]
struct Rows {
    rows: Mutex<HashMap<Key, Row>>,
    writes: AtomicUsize,
    broken: bool,
}

#[async_trait]
impl Records for Rows {
    async fn get(&self, key: &Key, _: Consistency) -> Result<Option<Row>, PortError> {
        match self.broken {
            true => Err(PortError::Unavailable("out of order".to_owned())),
            false => Ok(self.rows.lock().unwrap().get(key).cloned()),
        }
    }

    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<bool>, PortError> {
        // Others come in between.
        tokio::task::yield_now().await;
        let mut rows = self.rows.lock().unwrap();
        let applied = writes.into_iter().map(|write| {
            let Write::Put(row, guard) = write else { unreachable!("leases only put") };
            self.writes.fetch_add(1, Ordering::SeqCst);
            let version = rows.get(&row.key).map(|row| row.version);
            let holds = match guard {
                Guard::Absent => version.is_none(),
                Guard::Exactly(wanted) => version == Some(wanted),
                _ => unreachable!("leases are guarded"),
            };
            if holds {
                rows.insert(row.key.clone(), row);
            }
            holds
        });
        Ok(applied.collect())
    }

    async fn write_all(&self, _: Vec<Write>) -> Result<(), PortError> {
        unreachable!("leases are single rows")
    }

    async fn query(&self, _: Query) -> Result<Vec<Row>, PortError> {
        unreachable!("leases are found by key")
    }
}

#[test]
fn no_two_limits_share_a_name_and_each_fills() {
    let mut names: Vec<_> = LIMITS.iter().map(|limit| limit.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), LIMITS.len());
    assert!(LIMITS.iter().all(|limit| limit.window_s > 0));
}

#[tokio::test]
async fn a_bucket_empties_and_fills_again() {
    let limits = RateLimits::default();
    let (holder, burst) = (account(), ACCOUNT.burst);
    for used in 1..=burst {
        let standing = limits.take(&holder, at(0)).await;
        assert_eq!((standing.remaining, standing.allowed), (burst - used, true));
    }
    assert!(!limits.take(&holder, at(0)).await.allowed);
    assert!(limits.take(&key(1), at(0)).await.allowed, "others have buckets of their own");
    let half = limits.take(&holder, at(500)).await;
    assert_eq!((half.remaining, half.allowed, half.reset_s), (burst / 2 - 1, true, 1));
    // A clock that goes back gives nothing.
    assert_eq!(limits.take(&holder, at(-10_000)).await.remaining, burst / 2 - 2);
    assert_eq!(limits.take(&holder, at(10_000)).await.remaining, burst - 1);
}

#[tokio::test]
async fn a_limit_for_a_minute_says_when_the_next_request_is_allowed() {
    for limits in [RateLimits::default(), RateLimits::shared(Arc::new(Rows::default()))] {
        assert!(limits.take(&key(2), at(0)).await.allowed && limits.take(&key(2), at(0)).await.allowed);
        let refused = limits.take(&key(2), at(0)).await;
        assert_eq!((refused.allowed, refused.next_s, refused.reset_s), (false, 30, 60));
        assert!(!limits.take(&key(2), at(29_000)).await.allowed);
        assert!(limits.take(&key(2), at(30_000)).await.allowed);
        assert!(limits.take(&key(3), at(30_000)).await.allowed, "another limit begins anew");
    }
}

#[tokio::test]
async fn what_is_given_back_can_be_taken_again() {
    for limits in [RateLimits::default(), RateLimits::shared(Arc::new(Rows::default()))] {
        let holder = Holder::stranger(&GUESSES_OF_USER_HERE, "x");
        for _ in 0..100 {
            assert!(limits.take(&holder, at(0)).await.allowed);
            limits.give_back(&holder, at(0));
        }
        for _ in 0..GUESSES_OF_USER_HERE.burst {
            assert!(limits.take(&holder, at(0)).await.allowed);
        }
        assert!(!limits.take(&holder, at(0)).await.allowed);
        limits.give_back(&holder, at(0));
        assert!(limits.take(&holder, at(0)).await.allowed);
    }
}

#[tokio::test]
async fn a_flood_of_holders_takes_no_more_memory_and_forgets_none_that_is_busy() {
    let limits = RateLimits::default();
    let holder = key(1_000);
    for number in 0..200_000_u32 {
        if number % 1_000 == 0 {
            assert!(limits.take(&holder, at(0)).await.allowed);
        }
        limits.take(&Holder::stranger(&GUESSES_OF_USER_HERE, number.to_string()), at(0)).await;
    }
    assert_eq!(limits.take(&holder, at(0)).await.remaining, 799);
    assert!(limits.len() <= 100_000);
}

/// Several processes that ask as often as they can for a while: how many requests were allowed, and how many writes it took.
async fn asked(holder: &Holder, processes: usize, seconds: i64, per_tick: usize) -> (usize, usize) {
    let rows = Arc::new(Rows::default());
    let all: Vec<_> = (0..processes).map(|_| Arc::new(RateLimits::shared(rows.clone()))).collect();
    let mut allowed = 0;
    for tick in 0..seconds * 100 {
        let mut asking = tokio::task::JoinSet::new();
        for limits in &all {
            let (limits, holder) = (limits.clone(), holder.clone());
            asking.spawn(async move {
                let mut allowed = 0;
                for _ in 0..per_tick {
                    allowed += usize::from(limits.take(&holder, at(tick * 10)).await.allowed);
                }
                allowed
            });
        }
        allowed += asking.join_all().await.into_iter().sum::<usize>();
    }
    (allowed, rows.writes.load(Ordering::SeqCst))
}

#[tokio::test]
async fn several_processes_hold_one_limit_with_few_writes() {
    const BURST: usize = ACCOUNT.burst as usize;
    // Each asks for as much as the limit is, for three seconds.
    let (allowed, writes) = asked(&account(), 2, 3, 100).await;
    // What the bucket held and what came into it, and at most a lease for each that others were always faster than.
    assert!(allowed <= BURST + 3 * BURST + 2 * BURST / 10, "{allowed}");
    assert!(allowed >= 3 * BURST, "and all of it is there for those who ask: {allowed}");
    // Ten leases of a full bucket, and in each second ten for each process; some are tried twice.
    assert!(writes <= 2 * (10 + 3 * 10 * 2), "{writes} writes for {allowed} requests");

    // Small figures, too; in ten seconds five tokens come, and a lease is three.
    let (allowed, _) = asked(&key(30), 4, 10, 10).await;
    assert!((30..=30 + 5 + 4 * 3).contains(&allowed), "{allowed}");
    let (allowed, _) = asked(&key(30), 1, 10, 10).await;
    assert!((30..=35).contains(&allowed), "one alone gets what there is: {allowed}");
}

#[tokio::test]
async fn a_holder_that_is_not_busy_costs_a_write_for_each_lease() {
    let rows = Arc::new(Rows::default());
    let limits = RateLimits::shared(rows.clone());
    for second in 0..900 {
        assert!(limits.take(&account(), at(second * 1_000)).await.allowed);
    }
    assert_eq!(rows.writes.load(Ordering::SeqCst), 1, "900 requests are less than a lease of 1,000");
}

#[tokio::test]
async fn rows_that_are_out_of_order_stop_nobody_and_bound_everybody() {
    let limits = RateLimits::shared(Arc::new(Rows { broken: true, ..Rows::default() }));
    let mut allowed = 0;
    for _ in 0..20_000 {
        allowed += u32::from(limits.take(&account(), at(0)).await.allowed);
    }
    assert_eq!(allowed, ACCOUNT.burst / 10, "a lease");
    assert!(limits.take(&account(), at(100)).await.allowed, "and another in its time");
}
