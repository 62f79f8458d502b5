//! Token buckets, as arithmetic.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How much a bucket holds, and in how long it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Allowance {
    pub(crate) burst: u32,
    pub(crate) window_s: u32,
}

impl Allowance {
    fn per_s(self) -> f64 {
        f64::from(self.burst) / f64::from(self.window_s)
    }

    /// Until so many tokens have come.
    pub(super) fn time_for(self, tokens: f64) -> SignedDuration {
        SignedDuration::try_from_secs_f64((tokens / self.per_s()).max(0.0)).unwrap_or(SignedDuration::MAX)
    }
}

/// A bucket at a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Bucket {
    pub(super) allowance: Allowance,
    pub(super) tokens: f64,
    pub(super) at: Timestamp,
}

impl Bucket {
    pub(super) fn full(allowance: Allowance, at: Timestamp) -> Self {
        Self { allowance, tokens: f64::from(allowance.burst), at }
    }

    /// What it is by now. A clock that goes back gives nothing.
    pub(super) fn refilled(self, now: Timestamp) -> Self {
        let elapsed_s = now.duration_since(self.at).as_secs_f64().max(0.0);
        let tokens = f64::from(self.allowance.burst).min(self.tokens + elapsed_s * self.allowance.per_s());
        Self { tokens, at: now.max(self.at), ..self }
    }

    /// The same for another allowance; one that is new begins full.
    pub(super) fn of(self, allowance: Allowance, now: Timestamp) -> Self {
        match self.allowance == allowance {
            true => self.refilled(now),
            false => Self::full(allowance, now),
        }
    }
}

/// What is left after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) allowed: bool,
    /// Seconds until all is there again.
    pub(crate) reset_s: u32,
    /// Seconds until there is one more.
    pub(crate) next_s: u32,
}

impl Standing {
    /// Of a bucket with so many tokens; nothing comes before `wait` is over.
    pub(super) fn new(allowance: Allowance, tokens: f64, allowed: bool, wait: SignedDuration) -> Self {
        // Between 0 and the limit, or the window in seconds, so nothing is lost.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
        let whole = |figure: f64| figure.max(0.0) as u32;
        let remaining = whole(tokens).min(allowance.burst);
        let missing = f64::from(allowance.burst) - tokens;
        let reset_s = u32::from(remaining < allowance.burst)
            .max(whole(allowance.time_for(missing).as_secs_f64().ceil()))
            .min(allowance.window_s);
        let next = allowance.time_for(1.0 - tokens).max(wait);
        let next_s = whole(next.as_secs_f64().ceil()).max(1);
        Self { limit: allowance.burst, remaining, allowed, reset_s, next_s }
    }
}
