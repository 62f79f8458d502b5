//! Every request has an id: in the answer's `X-Request-Id`, in problems, in logs and in the journal.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;
use waxwing_domain::RequestId;

use crate::Api;

static HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The id of the request that is being handled; empty outside of one.
pub(crate) fn current() -> String {
    CURRENT.try_with(RequestId::to_string).unwrap_or_default()
}

/// Gives the request an id and the answer its header.
pub(crate) async fn assign(State(api): State<Api>, request: Request, next: Next) -> Response {
    let id = RequestId::from_parts(api.ids.parts());
    let span =
        tracing::info_span!("request", id = %id, method = %request.method(), path = request.uri().path());
    let mut response = CURRENT.scope(id, next.run(request).instrument(span)).await;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(HEADER.clone(), value);
    }
    response
}
