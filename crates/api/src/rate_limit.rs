//! How much an account may ask for: a token bucket, and the headers that say how full it is.

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use jiff::Timestamp;
use waxwing_domain::AccountId;

use crate::{Api, Problem};

/// Requests of an account in one second; as many can come at once.
pub(crate) const REQUESTS_PER_S: u32 = 10_000;
/// Most accounts that are counted at the same time. Those whose bucket is full again are forgotten first.
const ACCOUNTS_MAX: usize = 100_000;

/// The buckets of this process.
#[derive(Debug, Default)]
pub struct RateLimits {
    /// Requests without a valid credential share the one of `None`: it is shown to them, and refuses nothing, since
    /// they are refused already.
    buckets: Mutex<HashMap<Option<AccountId>, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Bucket {
    fn refilled(self, now: Timestamp) -> Self {
        let elapsed_s = now.duration_since(self.at).as_secs_f64().max(0.0);
        let tokens = f64::from(REQUESTS_PER_S).min(self.tokens + elapsed_s * f64::from(REQUESTS_PER_S));
        Self { tokens, at: now.max(self.at) }
    }
}

/// What is left after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    remaining: u32,
    allowed: bool,
}

impl RateLimits {
    fn take(&self, account: Option<AccountId>, now: Timestamp) -> Standing {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ACCOUNTS_MAX && !buckets.contains_key(&account) {
            buckets.retain(|_, bucket| bucket.refilled(now).tokens < f64::from(REQUESTS_PER_S));
        }
        let full = Bucket { tokens: f64::from(REQUESTS_PER_S), at: now };
        let bucket = buckets.entry(account).or_insert(full);
        *bucket = bucket.refilled(now);
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        // Between 0 and the limit, so nothing is lost.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
        let remaining = bucket.tokens as u32;
        Standing { remaining, allowed }
    }
}

tokio::task_local! {
    static STANDING: Cell<Option<Standing>>;
}

/// Counts a request of the account.
///
/// # Errors
/// 429 when the account has asked for too much.
pub(crate) fn count(api: &Api, account: AccountId) -> Result<(), Problem> {
    let standing = api.rate_limits.take(Some(account), api.commands.ports.clock.now());
    // Outside of a request, which only tests are, nobody reads it.
    let _ = STANDING.try_with(|current| current.set(Some(standing)));
    match standing.allowed {
        true => Ok(()),
        false => Err(Problem::new("rate_limited", "The account has sent too many requests; wait a second.")),
    }
}

/// Tells the standing in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`, the seconds until all is there
/// again.
pub(crate) async fn tell(State(api): State<Api>, request: Request, next: Next) -> Response {
    STANDING
        .scope(Cell::new(None), async move {
            let mut response = next.run(request).await;
            let standing = STANDING.with(Cell::get);
            let standing =
                standing.unwrap_or_else(|| api.rate_limits.take(None, api.commands.ports.clock.now()));
            let reset_s = u32::from(standing.remaining < REQUESTS_PER_S);
            for (name, value) in [
                ("ratelimit-limit", REQUESTS_PER_S),
                ("ratelimit-remaining", standing.remaining),
                ("ratelimit-reset", reset_s),
            ] {
                response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(value));
            }
            response
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + ms).unwrap()
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let (limits, account) = (RateLimits::default(), AccountId::from_parts((1, [1; 10])));
        for used in 1..=REQUESTS_PER_S {
            let standing = limits.take(Some(account), at(0));
            assert_eq!(standing, Standing { remaining: REQUESTS_PER_S - used, allowed: true });
        }
        assert!(!limits.take(Some(account), at(0)).allowed);
        assert!(limits.take(None, at(0)).allowed, "others have buckets of their own");
        let half = limits.take(Some(account), at(500));
        assert_eq!(half, Standing { remaining: REQUESTS_PER_S / 2 - 1, allowed: true });
        // A clock that goes back gives nothing.
        assert_eq!(limits.take(Some(account), at(-10_000)).remaining, REQUESTS_PER_S / 2 - 2);
        assert_eq!(limits.take(Some(account), at(10_000)).remaining, REQUESTS_PER_S - 1);
    }
}
