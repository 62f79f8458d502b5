//! The host's internal HTTP: signed hints, and its health.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use waxwing_app::ports::{Gateway, Pairing, PairingCodeError};
use waxwing_domain::{AccountId, PhoneNumber, SessionId};
use waxwing_host::Host;
use waxwing_signed_http::{Verifier, require_signature};

pub(crate) fn router(host: Host, verifier: Verifier) -> Router {
    Router::new()
        .route("/internal/sessions/{account}/{session}/changed", post(changed))
        .route("/internal/sessions/{account}/{session}/outbox", post(outbox))
        .route("/internal/sessions/{account}/{session}/pairing-code", post(pairing_code))
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

#[derive(Deserialize)]
struct ForPhone {
    phone_number: PhoneNumber,
}

async fn pairing_code(
    State(host): State<Host>,
    Path((account, session)): Of,
    Json(ForPhone { phone_number }): Json<ForPhone>,
) -> (StatusCode, Json<Value>) {
    match host.pairing_code(account, session, &phone_number).await {
        Ok(code) => (StatusCode::OK, Json(json!(code))),
        Err(PairingCodeError::NotPairing) => (StatusCode::CONFLICT, Json(json!({ "code": "not_pairing" }))),
        Err(PairingCodeError::Refused(detail)) => {
            (StatusCode::CONFLICT, Json(json!({ "code": "refused", "detail": detail })))
        },
        Err(PairingCodeError::Gateway(error)) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "detail": error.to_string() })))
        },
    }
}

/// 200 while the host's heart beats.
async fn health(State(host): State<Host>) -> (StatusCode, Json<Value>) {
    match host.is_alive() {
        true => (StatusCode::OK, Json(json!({ "status": "ok" }))),
        false => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "fenced" }))),
    }
}
