//! Every request has an id: in the answer's `X-Request-Id`, in problems, in logs and in the journal.

use axum::{
    extract::{MatchedPath, Request, State},
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

/// The same work with the same id on another task.
pub(crate) fn kept<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let span = tracing::Span::current();
    let id = CURRENT.try_with(|id| *id).ok();
    async move {
        match id {
            Some(id) => CURRENT.scope(id, work).await,
            None => work.await,
        }
    }
    .instrument(span)
}

/// Gives the request an id and the answer its header. The log names the route and not the path, which may hold a number.
pub(crate) async fn assign(State(api): State<Api>, request: Request, next: Next) -> Response {
    let id = RequestId::from_parts(api.ids.parts());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let span = tracing::info_span!("request", id = %id, method = %request.method(), route);
    let mut response = CURRENT.scope(id, next.run(request).instrument(span)).await;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(HEADER.clone(), value);
    }
    response
}
