//! The host's internal HTTP: signed hints, and its health.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use serde_json::{Value, json};
use waxwing_app::ports::Gateway;
use waxwing_domain::{AccountId, SessionId};
use waxwing_host::Host;
use waxwing_signed_http::{Verifier, require_signature};

pub(crate) fn router(host: Host, verifier: Verifier) -> Router {
    Router::new()
        .route("/internal/sessions/{account}/{session}/changed", post(changed))
        .route("/internal/sessions/{account}/{session}/outbox", post(outbox))
        .route_layer(from_fn_with_state(verifier, require_signature))
        .route("/health", get(health))
        .with_state(host)
}

type Of = Path<(AccountId, SessionId)>;

async fn changed(State(host): State<Host>, Path((account, session)): Of) -> StatusCode {
    host.session_changed(account, session).await;
    StatusCode::NO_CONTENT
}

async fn outbox(State(host): State<Host>, Path((account, session)): Of) -> StatusCode {
    host.outbox_changed(account, session).await;
    StatusCode::NO_CONTENT
}

/// 200 while the host's heart beats.
async fn health(State(host): State<Host>) -> (StatusCode, Json<Value>) {
    match host.is_alive() {
        true => (StatusCode::OK, Json(json!({ "status": "ok" }))),
        false => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "fenced" }))),
    }
}
