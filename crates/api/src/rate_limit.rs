//! How much an account, an API key, an address and the process may be asked for: token buckets, and the headers that say
//! how full they are.

mod bucket;
mod lease;
mod limits;
mod table;
#[cfg(test)]
mod tests;

use std::{cell::Cell, net::IpAddr};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bucket::Standing;
pub(crate) use limits::Holder;
pub use limits::RateLimits;
use table::{ACCOUNT, API_KEY, Limit, PROCESS, READS, SENDS, WRITES};
pub(crate) use table::{
    GUESSES_HERE, GUESSES_OF_USER, GUESSES_OF_USER_HERE, LIMITS, MAILS, REGISTRATIONS, USAGE,
};
use waxwing_app::commands::Caller;

use crate::{Api, Problem, client_address};

tokio::task_local! {
    static STANDING: Cell<Option<Standing>>;
}

/// Remembers what the answer will say: of all buckets that a request takes from, the one that is nearest to empty.
fn show(standing: Standing) {
    // Outside of a request, which only tests are, nobody reads it.
    let _ = STANDING.try_with(|shown| {
        let nearest = shown.get().is_none_or(|shown| standing.remaining <= shown.remaining);
        if nearest || !standing.allowed {
            shown.set(Some(standing));
        }
    });
}

/// Takes a token.
///
/// # Errors
/// 429 when there is none; `what` begins the sentence that says so.
pub(crate) async fn take(api: &Api, holder: &Holder, what: &str) -> Result<(), Problem> {
    let standing = api.rate_limits.take(holder, api.commands.ports.clock.now()).await;
    show(standing);
    match standing.allowed {
        true => Ok(()),
        false => Err(Problem::rate_limited(format!("{what}; wait {} s.", standing.next_s), standing.next_s)),
    }
}

/// Which class a request is of.
fn class(method: &Method, path: &str) -> &'static Limit {
    match *method {
        Method::GET | Method::HEAD => &READS,
        Method::POST if path.contains("/messages") => &SENDS,
        _ => &WRITES,
    }
}

/// Counts a request of the caller: of the account, as a whole and by class, and of the key where that has a limit of its own.
///
/// # Errors
/// 429 when any has asked for too much.
pub(crate) async fn count(api: &Api, caller: &Caller, method: &Method, path: &str) -> Result<(), Problem> {
    let of_account = |limit| Holder::new(limit, caller.account, "");
    take(api, &of_account(&ACCOUNT), "The account has sent too many requests").await?;
    take(api, &of_account(class(method, path)), "The account has sent too many requests").await?;
    match caller.rate_limit_per_min() {
        Some(figure) => {
            let holder = Holder::new(&API_KEY, caller.account, caller.id()).holding(figure);
            take(api, &holder, "The API key has sent too many requests").await
        },
        None => Ok(()),
    }
}

/// Counts one more message of a request that sends several.
///
/// # Errors
/// 429 when the account has sent too many.
pub(crate) async fn count_send(api: &Api, caller: &Caller) -> Result<(), Problem> {
    take(api, &Holder::new(&SENDS, caller.account, ""), "The account has sent too many messages").await
}

/// Counts what an address does that needs no credential.
///
/// # Errors
/// 429 when too much came from there.
pub(crate) async fn count_stranger(
    api: &Api,
    limit: &'static Limit,
    address: Option<IpAddr>,
) -> Result<(), Problem> {
    let holder = Holder::stranger(limit, client_address::hashed(api, address));
    take(api, &holder, "This address has sent too many requests").await
}

/// Takes from what the process can do, and tells the standing in `RateLimit-Limit`, `RateLimit-Remaining` and
/// `RateLimit-Reset`, the seconds until all is there again.
pub(crate) async fn tell(State(api): State<Api>, request: Request, next: Next) -> Response {
    STANDING
        .scope(Cell::new(None), async move {
            let now = api.commands.ports.clock.now();
            let process = api.rate_limits.take(&Holder::stranger(&PROCESS, ""), now).await;
            // Whoever watches the process must not take a busy one for a dead one.
            let watched = matches!(request.uri().path(), "/health" | "/ready");
            let mut response = match process.allowed || watched {
                true => next.run(request).await,
                false => {
                    let detail = "Everybody together has sent too many requests; wait a second.";
                    Problem::rate_limited(detail.to_owned(), process.next_s).into_response()
                },
            };
            let standing = STANDING.with(Cell::get).unwrap_or(process);
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
