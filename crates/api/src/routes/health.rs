//! For load balancers and people: is it there, and can it work?

use axum::{Json, Router, extract::State, routing::get};
use serde_json::{Value, json};

use crate::{Api, Problem};

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/health", get(health)).route("/ready", get(ready))
}

/// The process is there.
async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// Everything behind the API runs.
async fn ready(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    match api.is_ready() {
        true => Ok(Json(json!({ "status": "ready" }))),
        false => Err(Problem::new("unavailable", "Waxwing is starting or stopping.")),
    }
}
