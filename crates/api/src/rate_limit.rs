//! How much an account, an API key and a stranger may ask for: token buckets, and the headers that say how full they are.

use std::{
    cell::Cell,
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use jiff::Timestamp;
use waxwing_app::commands::Caller;
use waxwing_domain::AccountId;

use crate::{Api, Problem, client_address};

/// Requests of an account in one second; as many can come at once.
pub(crate) const REQUESTS_PER_S: u32 = 10_000;
/// Accounts that are registered from one address in a minute; as many can come at once.
const REGISTRATIONS_PER_MIN: u32 = 20;
/// Most buckets at the same time. Those that are full again are forgotten first.
const BUCKETS_MAX: usize = 100_000;

/// The buckets of this process.
#[derive(Debug, Default)]
pub struct RateLimits {
    buckets: Mutex<HashMap<Holder, Bucket>>,
}

/// Whose bucket it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Holder {
    /// Requests without a valid credential share this one: it is shown to them, and refuses nothing, since they are
    /// refused already.
    Nobody,
    Account(AccountId),
    ApiKey(String),
    /// Registrations from one address; `None` where it is not known.
    Registrations(Option<IpAddr>),
}

/// How much a bucket holds, and in how long it fills.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Allowance {
    burst: u32,
    window_s: u32,
}

impl Allowance {
    const ACCOUNT: Self = Self { burst: REQUESTS_PER_S, window_s: 1 };

    fn per_min(burst: u32) -> Self {
        Self { burst, window_s: 60 }
    }

    fn per_s(self) -> f64 {
        f64::from(self.burst) / f64::from(self.window_s)
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    allowance: Allowance,
    tokens: f64,
    at: Timestamp,
}

impl Bucket {
    fn full(allowance: Allowance, at: Timestamp) -> Self {
        Self { allowance, tokens: f64::from(allowance.burst), at }
    }

    fn refilled(self, now: Timestamp) -> Self {
        let elapsed_s = now.duration_since(self.at).as_secs_f64().max(0.0);
        let tokens = f64::from(self.allowance.burst).min(self.tokens + elapsed_s * self.allowance.per_s());
        Self { tokens, at: now.max(self.at), ..self }
    }
}

/// What is left after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    limit: u32,
    remaining: u32,
    allowed: bool,
    /// Seconds until all is there again.
    reset_s: u32,
    /// Seconds until there is one more.
    next_s: u32,
}

impl RateLimits {
    fn take(&self, holder: Holder, allowance: Allowance, now: Timestamp) -> Standing {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&holder) {
            buckets.retain(|_, bucket| bucket.refilled(now).tokens < f64::from(bucket.allowance.burst));
        }
        let bucket = buckets.entry(holder).or_insert(Bucket::full(allowance, now));
        if bucket.allowance != allowance {
            *bucket = Bucket::full(allowance, now);
        }
        *bucket = bucket.refilled(now);
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        let (tokens, per_s) = (bucket.tokens, allowance.per_s());
        // Between 0 and the limit, or the window in seconds, so nothing is lost.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
        let whole = |figure: f64| figure.max(0.0) as u32;
        let remaining = whole(tokens);
        let reset_s = u32::from(remaining < allowance.burst)
            .max(whole(((f64::from(allowance.burst) - tokens) / per_s).ceil()))
            .min(allowance.window_s);
        let next_s = whole(((1.0 - tokens) / per_s).ceil()).max(1);
        Standing { limit: allowance.burst, remaining, allowed, reset_s, next_s }
    }
}

tokio::task_local! {
    static STANDING: Cell<Option<Standing>>;
}

fn counted(api: &Api, holder: Holder, allowance: Allowance, who: &str) -> Result<(), Problem> {
    let standing = api.rate_limits.take(holder, allowance, api.commands.ports.clock.now());
    // Outside of a request, which only tests are, nobody reads it.
    let _ = STANDING.try_with(|current| current.set(Some(standing)));
    match standing.allowed {
        true => Ok(()),
        false => Err(Problem::rate_limited(
            format!("{who} has sent too many requests; wait {} s.", standing.next_s),
            standing.next_s,
        )),
    }
}

/// Counts a request of the caller: of the account, and of the key where that has a limit of its own.
///
/// # Errors
/// 429 when either has asked for too much.
pub(crate) fn count(api: &Api, caller: &Caller) -> Result<(), Problem> {
    counted(api, Holder::Account(caller.account), Allowance::ACCOUNT, "The account")?;
    match caller.rate_limit_per_min() {
        Some(limit) => counted(api, Holder::ApiKey(caller.id()), Allowance::per_min(limit), "The API key"),
        None => Ok(()),
    }
}

/// Counts a registration from the address.
///
/// # Errors
/// 429 when too many came from there.
pub(crate) fn count_registration(api: &Api, address: Option<IpAddr>) -> Result<(), Problem> {
    let holder = Holder::Registrations(address.map(client_address::prefix));
    counted(api, holder, Allowance::per_min(REGISTRATIONS_PER_MIN), "This address")
}

/// Tells the standing in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`, the seconds until all is there
/// again.
pub(crate) async fn tell(State(api): State<Api>, request: Request, next: Next) -> Response {
    STANDING
        .scope(Cell::new(None), async move {
            let mut response = next.run(request).await;
            let standing = STANDING.with(Cell::get).unwrap_or_else(|| {
                api.rate_limits.take(Holder::Nobody, Allowance::ACCOUNT, api.commands.ports.clock.now())
            });
            for (name, value) in [
                ("ratelimit-limit", standing.limit),
                ("ratelimit-remaining", standing.remaining),
                ("ratelimit-reset", standing.reset_s),
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
        let take = |ms| limits.take(Holder::Account(account), Allowance::ACCOUNT, at(ms));
        for used in 1..=REQUESTS_PER_S {
            let standing = take(0);
            assert_eq!((standing.remaining, standing.allowed), (REQUESTS_PER_S - used, true));
        }
        assert!(!take(0).allowed);
        let other = limits.take(Holder::Nobody, Allowance::ACCOUNT, at(0));
        assert!(other.allowed, "others have buckets of their own");
        let half = take(500);
        assert_eq!((half.remaining, half.allowed, half.reset_s), (REQUESTS_PER_S / 2 - 1, true, 1));
        // A clock that goes back gives nothing.
        assert_eq!(take(-10_000).remaining, REQUESTS_PER_S / 2 - 2);
        assert_eq!(take(10_000).remaining, REQUESTS_PER_S - 1);
    }

    #[test]
    fn a_limit_for_a_minute_says_when_the_next_request_is_allowed() {
        let limits = RateLimits::default();
        let take =
            |limit, ms| limits.take(Holder::ApiKey("key".to_owned()), Allowance::per_min(limit), at(ms));
        assert!(take(2, 0).allowed && take(2, 0).allowed);
        let refused = take(2, 0);
        assert_eq!((refused.allowed, refused.next_s, refused.reset_s), (false, 30, 60));
        assert!(!take(2, 29_000).allowed && take(2, 30_000).allowed);
        assert!(take(3, 30_000).allowed, "another limit begins anew");
    }
}
