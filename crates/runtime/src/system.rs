use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use waxwing_app::ports::{Clock, Entropy};

/// The wall clock in whole milliseconds. It never goes backwards within a process: a step back stands still.
#[derive(Debug, Default)]
pub struct SystemClock {
    last_ms: AtomicI64,
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let now_ms = Timestamp::now().as_millisecond();
        let last_ms = self.last_ms.fetch_max(now_ms, Ordering::AcqRel);
        Timestamp::from_millisecond(now_ms.max(last_ms)).unwrap_or(Timestamp::MAX)
    }
}

/// The operating system's randomness.
#[derive(Debug, Default, Clone, Copy)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the source")]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("without the system's randomness no key can be made safely");
    }
}
