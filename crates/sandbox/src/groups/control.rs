//! The control API's routes for groups, under a phone: each is done by that person.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{GroupChange, JoinAnswer, MemberChange, NewGroup};
use crate::control::{Answer, Body, Key, Params, phone, repeatable};
use crate::engine::Engine;
use crate::network::PageRequest;

pub(crate) fn routes() -> Router<Engine> {
    let phone = "/internal/networks/{account}/phones/{number}/groups";
    Router::new()
        .route(phone, post(create).get(list))
        .route(&format!("{phone}/join"), post(join))
        .route(&format!("{phone}/{{group}}"), get(show).patch(change))
        .route(&format!("{phone}/{{group}}/participants"), post(participants))
        .route(&format!("{phone}/{{group}}/invite"), get(invite).post(renew_invite))
        .route(&format!("{phone}/{{group}}/join-requests"), get(join_requests).post(answer_join_requests))
        .route(&format!("{phone}/{{group}}/leave"), post(leave))
}

/// Where a group of a phone is.
type Place = Path<(String, String, String)>;

async fn create(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
    Key(key): Key,
    Body(new): Body<NewGroup>,
) -> Answer<Response> {
    let (group, repeated) = phone(engine, account, &number)?.create_group_once(new, key.as_deref()).await?;
    Ok(repeatable(StatusCode::CREATED, group, repeated))
}

async fn list(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
    Params(page): Params<PageRequest>,
) -> Answer<impl IntoResponse> {
    Ok(Json(phone(engine, account, &number)?.groups(&page).await?))
}

async fn show(
    State(engine): State<Engine>,
    Path((account, number, group)): Place,
) -> Answer<impl IntoResponse> {
    Ok(Json(phone(engine, account, &number)?.group(&group).await?))
}

async fn change(
    State(engine): State<Engine>,
    Path((account, number, group)): Place,
    Body(change): Body<GroupChange>,
) -> Answer<impl IntoResponse> {
    Ok(Json(phone(engine, account, &number)?.change_group(&group, change).await?))
}

async fn participants(
    State(engine): State<Engine>,
    Path((account, number, group)): Place,
    Body(change): Body<MemberChange>,
) -> Answer<impl IntoResponse> {
    let outcomes = phone(engine, account, &number)?.change_members(&group, change).await?;
    Ok(outcomes_of(outcomes))
}

async fn invite(
    State(engine): State<Engine>,
    Path((account, number, group)): Place,
) -> Answer<impl IntoResponse> {
    let code = phone(engine, account, &number)?.group_invite(&group, false).await?;
    Ok(Json(json!({ "code": code })))
}

async fn renew_invite(
    State(engine): State<Engine>,
    Path((account, number, group)): Place,
) -> Answer<impl IntoResponse> {
    let code = phone(engine, account, &number)?.group_invite(&group, true).await?;
    Ok(Json(json!({ "code": code })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JoinIn {
    code: String,
}

async fn join(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
    Body(body): Body<JoinIn>,
) -> Answer<Response> {
    Ok(match phone(engine, account, &number)?.join_group(&body.code).await? {
        Some(group) => Json(group).into_response(),
        // It waits for an admin.
        None => (StatusCode::ACCEPTED, Json(json!({}))).into_response(),
    })
}

async fn join_requests(
    State(engine): State<Engine>,
    Path((account, number, group)): Place,
) -> Answer<impl IntoResponse> {
    let data = phone(engine, account, &number)?.join_requests(&group).await?;
    Ok(Json(json!({ "data": data, "next_cursor": null })))
}

async fn answer_join_requests(
    State(engine): State<Engine>,
    Path((account, number, group)): Place,
    Body(answer): Body<JoinAnswer>,
) -> Answer<impl IntoResponse> {
    let outcomes = phone(engine, account, &number)?.answer_join_requests(&group, answer).await?;
    Ok(outcomes_of(outcomes))
}

fn outcomes_of(outcomes: Vec<(String, Option<u16>)>) -> impl IntoResponse {
    let data: Vec<_> =
        outcomes.into_iter().map(|(number, error)| json!({ "number": number, "error": error })).collect();
    Json(json!({ "data": data, "next_cursor": null }))
}

async fn leave(
    State(engine): State<Engine>,
    Path((account, number, group)): Place,
) -> Answer<impl IntoResponse> {
    phone(engine, account, &number)?.leave_group(&group).await?;
    Ok(StatusCode::NO_CONTENT)
}
