//! The account.

use axum::{extract::State, http::StatusCode, response::Response};
use waxwing_app::queries;

use super::answer;
use crate::{
    Api, Problem,
    extract::{AccountRead, AccountWrite, Actor, Body},
    shapes::{AccountOut, ChangeAccountIn},
};

async fn shown<S>(api: &Api, actor: &Actor<S>) -> Result<Response, Problem> {
    let id = actor.account();
    let account = queries::account(&api.commands.ports, id).await?;
    let created = account.created().ok_or_else(|| Problem::not_found("account"))?;
    Ok(answer(StatusCode::OK, AccountOut::new(id, Some(created))))
}

/// Get the account
#[utoipa::path(get, path = "/account", operation_id = "getAccount", tag = "account",
    responses((status = 200, description = "The account", body = AccountOut)))]
pub(super) async fn get_account(
    State(api): State<Api>,
    actor: Actor<AccountRead>,
) -> Result<Response, Problem> {
    shown(&api, &actor).await
}

/// Change the account
#[utoipa::path(patch, path = "/account", operation_id = "updateAccount", tag = "account", request_body = ChangeAccountIn,
    responses((status = 200, description = "Changed", body = AccountOut)))]
pub(super) async fn change_account(
    State(api): State<Api>,
    actor: Actor<AccountWrite>,
    body: Body<ChangeAccountIn>,
) -> Result<Response, Problem> {
    api.commands.rename_account(actor.account(), body.value.name, &actor.cause()).await?;
    shown(&api, &actor).await
}
