//! The control API's routes for what a person shows, and for the devices that a phone has linked.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::{delete, get, put};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;

use super::ProfileChange;
use crate::control::{Answer, Body, phone};
use crate::engine::Engine;
use crate::network::Page;

pub(crate) fn routes() -> Router<Engine> {
    Router::new()
        .route("/internal/networks/{account}/phones/{number}/profile", get(show).put(change))
        .route("/internal/networks/{account}/phones/{number}/history", put(history))
        .route("/internal/networks/{account}/phones/{number}/companions", get(companions))
        .route("/internal/networks/{account}/phones/{number}/companions/{device}", delete(unlink))
}

async fn companions(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
) -> Answer<impl IntoResponse> {
    // At most as many as a page holds.
    Ok(Json(Page { data: phone(engine, account, &number)?.linked_devices().await?, next_cursor: None }))
}

async fn unlink(
    State(engine): State<Engine>,
    Path((account, number, device)): Path<(String, String, u16)>,
) -> Answer<impl IntoResponse> {
    phone(engine, account, &number)?.unlink(device).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryIn {
    messages: i64,
}

async fn history(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
    Body(body): Body<HistoryIn>,
) -> Answer<impl IntoResponse> {
    phone(engine, account, &number)?.hand_over_history(body.messages).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn show(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
) -> Answer<impl IntoResponse> {
    Ok(Json(phone(engine, account, &number)?.profile().await?))
}

async fn change(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
    Body(change): Body<ProfileChange>,
) -> Answer<impl IntoResponse> {
    Ok(Json(phone(engine, account, &number)?.change_profile(change).await?))
}
