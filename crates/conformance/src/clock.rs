use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use waxwing_app::ports::Clock;

/// 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct TestClock {
    now_ms: AtomicI64,
}

impl Default for TestClock {
    fn default() -> Self {
        Self { now_ms: AtomicI64::new(START_MS) }
    }
}

impl TestClock {
    /// Moves on.
    pub fn advance(&self, by: Duration) {
        let by_ms = i64::try_from(by.as_millis()).expect("tests move by less than an age");
        self.now_ms.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// The time that is this far ahead.
    pub fn ahead(&self, by: Duration) -> Timestamp {
        self.now() + by
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let now_ms = self.now_ms.load(Ordering::SeqCst);
        Timestamp::from_millisecond(now_ms).expect("tests stay within jiff's years")
    }
}
