//! The axum middleware.

use axum::body::{Body, to_bytes};
use axum::extract::{OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestExt};
use http::StatusCode;

use crate::{BODY_LIMIT_BYTES, Verifier};

/// Lets only signed requests through; for `axum::middleware::from_fn_with_state(verifier, require_signature)`.
///
/// Everything else is 401 with `{"code":"bad_signature","detail":…}`, or 413 for a body beyond the limit.
pub async fn require_signature(
    State(verifier): State<Verifier>,
    mut request: Request,
    next: Next,
) -> Response {
    // A nested router sees a shortened path; what was signed is the whole one.
    let uri = match request.extract_parts::<OriginalUri>().await {
        Ok(OriginalUri(uri)) => uri,
        Err(never) => match never {},
    };
    let path_and_query = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT_BYTES).await else {
        return refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "the body is too large or broke off",
        );
    };
    match verifier.verify(parts.method.as_str(), path_and_query, &parts.headers, &body) {
        Ok(()) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(why) => refusal(StatusCode::UNAUTHORIZED, "bad_signature", &why.to_string()),
    }
}

fn refusal(status: StatusCode, code: &str, detail: &str) -> Response {
    (status, Json(serde_json::json!({ "code": code, "detail": detail }))).into_response()
}
