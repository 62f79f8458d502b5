use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use waxwing_app::ports::Clock;

/// 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;

/// The time of an engine under test, which a suite lets pass in units.
pub trait TestTime: Sync {
    /// Now, by the engine's clock.
    fn now(&self) -> Timestamp;

    /// Returns when at least so many units have passed.
    fn advance(&self, units: u32) -> impl Future<Output = ()> + Send;

    /// One unit.
    fn unit(&self) -> Duration;

    /// How long, by the wall, a suite waits for what has to come while no more time passes for the engine. Only a fault
    /// takes this long: it decides when to give up and never what is right.
    fn patience(&self) -> Duration;
}

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
        Clock::now(self) + by
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let now_ms = self.now_ms.load(Ordering::SeqCst);
        Timestamp::from_millisecond(now_ms).expect("tests stay within jiff's years")
    }
}

impl TestTime for TestClock {
    fn now(&self) -> Timestamp {
        Clock::now(self)
    }

    async fn advance(&self, units: u32) {
        Self::advance(self, self.unit() * units);
    }

    fn unit(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// The time of an engine that goes by the real clock, as one does whose queue is a service.
pub struct RealTime {
    clock: Arc<dyn Clock>,
}

impl RealTime {
    /// Time by the engine's own clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl TestTime for RealTime {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, units: u32) {
        tokio::time::sleep(self.unit() * units).await;
    }

    /// Long next to the whole seconds in which such queues count.
    fn unit(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}
