//! What every answer says to browsers, and how long a request may take.

use std::{str::FromStr, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{Api, Problem, client_address, request_id};

/// Browsers ask again before a request after this time.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(3_600);

/// The request came by TLS, as whoever terminated it says, whose word needs no header. An extension of the request.
#[derive(Debug, Clone, Copy)]
pub struct ByTls;

/// A site whose pages may call from a browser: `https://app.example.com`, or `*` for all. None gets to send cookies, and there
/// are none: what authenticates is a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsOrigin(HeaderValue);

/// This is not an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidOrigin;

impl std::error::Error for InvalidOrigin {}

impl std::fmt::Display for InvalidOrigin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("expected an origin such as https://app.example.com, or *")
    }
}

impl FromStr for CorsOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        // Browsers send it as it is serialised: no path, no default port, lower case. Anything else would match nobody.
        let is_serialised = url::Url::parse(text).is_ok_and(|url| {
            let serialised = url.origin().ascii_serialization();
            matches!(url.scheme(), "http" | "https") && serialised == text && !text.contains('*')
        });
        match text == "*" || is_serialised {
            true => HeaderValue::from_str(text).map(Self).map_err(|_| InvalidOrigin),
            false => Err(InvalidOrigin),
        }
    }
}

/// Answers browsers that ask which sites may call; `None` where none may.
pub(crate) fn cors(origins: &[CorsOrigin]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = origins.iter().map(|CorsOrigin(origin)| origin.clone()).collect();
    let allowed = match &origins[..] {
        [] => return None,
        all if all.iter().any(|origin| origin == "*") => AllowOrigin::any(),
        _ => AllowOrigin::list(origins),
    };
    let name = HeaderName::from_static;
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            name("idempotency-key"),
            name("traceparent"),
            name("x-api-key"),
        ])
        .expose_headers([
            header::RETRY_AFTER,
            name("idempotent-replayed"),
            name("ratelimit-limit"),
            name("ratelimit-remaining"),
            name("ratelimit-reset"),
            name("x-request-id"),
        ])
        .max_age(PREFLIGHT_MAX_AGE);
    Some(layer)
}

/// Nothing that is answered here is a page, but for the documentation.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// The documentation loads its own scripts and styles, sets styles on elements, draws pictures that stand in its styles, and
/// calls the API.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Says of every answer what a browser must not do with it.
pub(crate) async fn harden(State(api): State<Api>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_docs = path.starts_with("/api/docs");
    // The document of the API is everybody's; the rest is its asker's.
    let is_public = is_docs || path == "/api/v1/openapi.json";
    let (parts, body) = request.into_parts();
    let by_tls = is_by_tls(&api, &parts);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let headers = response.headers_mut();
    let mut say = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::REFERRER_POLICY, "no-referrer");
    say(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    say(header::X_FRAME_OPTIONS, "DENY");
    say(header::CONTENT_SECURITY_POLICY, if is_docs { DOCS_POLICY } else { POLICY });
    if !is_public {
        say(header::CACHE_CONTROL, "no-store");
    }
    if by_tls {
        say(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

/// True when whoever terminates TLS, and is trusted, says that the client came by it.
fn is_by_tls(api: &Api, parts: &Parts) -> bool {
    let said = parts.headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    parts.extensions.get::<ByTls>().is_some() || said && client_address::is_proxied(api, parts)
}

/// Runs the rest apart from the connection: a client that goes away, or a time that is over, does not leave half of a command
/// undone. Whoever waits too long gets 503, and learns by an `Idempotency-Key` what became of it.
pub(crate) async fn in_time(State(within): State<Duration>, request: Request, next: Next) -> Response {
    let handled = tokio::spawn(request_id::kept(next.run(request)));
    match tokio::time::timeout(within, handled).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::error!(%error, "a request was not handled to its end");
            Problem::new("internal", "Something went wrong here.").into_response()
        },
        Err(_) => {
            tracing::warn!("a request takes too long: its client hears no end of it");
            Problem::new("unavailable", "This takes too long; it may be carried out all the same.")
                .into_response()
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{Router, body::Body, http::StatusCode, middleware, routing::get};
    use tokio::sync::{Notify, oneshot};
    use tower_service::Service;

    use super::*;

    /// A handler that waits for a sign, and says when it is at its end.
    fn waiting(within: Duration) -> (Router, Arc<Notify>, oneshot::Receiver<()>) {
        let (go_on, (ended, end)) = (Arc::new(Notify::new()), oneshot::channel());
        let (told, ended) = (go_on.clone(), Arc::new(std::sync::Mutex::new(Some(ended))));
        let handler = move || async move {
            told.notified().await;
            ended.lock().unwrap().take().unwrap().send(()).unwrap();
        };
        let router = Router::new().route("/", get(handler));
        (router.layer(middleware::from_fn_with_state(within, in_time)), go_on, end)
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_and_the_command_comes_to_its_end() {
        let (mut router, go_on, end) = waiting(Duration::ZERO);
        let answer = router.call(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key(header::RETRY_AFTER));
        go_on.notify_one();
        end.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_goes_away_leaves_nothing_half_done() {
        let (mut router, go_on, end) = waiting(Duration::from_secs(3_600));
        let client = tokio::spawn(router.call(Request::new(Body::empty())));
        // It has begun by the time that a task behind it has.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        go_on.notify_one();
        end.await.unwrap();
    }

    #[test]
    fn an_origin_is_what_browsers_send() {
        for origin in ["https://app.example.com", "http://127.0.0.1:3000", "https://[2001:db8::1]:8443", "*"]
        {
            assert!(origin.parse::<CorsOrigin>().is_ok(), "{origin}");
        }
        for other in [
            "",
            "null",
            "app.example.com",
            "https://app.example.com/",
            "https://App.example.com",
            "https://app.example.com:443",
            "https://*.example.com",
            "ftp://app.example.com",
            "https://me@app.example.com",
        ] {
            assert_eq!(other.parse::<CorsOrigin>(), Err(InvalidOrigin), "{other}");
        }
    }
}
