//! The account.

use axum::{extract::State, http::StatusCode, response::Response};
use waxwing_app::queries;

use super::{answer, me::checked};
use crate::{
    Api, Problem,
    extract::{AccountRead, AccountWrite, Actor, Body, Person},
    shapes::{AccountOut, ChangeAccountIn, DeleteMeIn},
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

/// Delete the account
///
/// For its owners, with their password. Its credentials are dead at once, its sessions are unlinked, and its keys are
/// destroyed once they had ten seconds to let go, which makes all that is known of it unreadable: within a minute, on AWS within a
/// few. Its rows go from then on, and a second look ten minutes later finds what came behind. The operator's account stays.
#[utoipa::path(post, path = "/account/delete", operation_id = "deleteAccount", tag = "account", request_body = DeleteMeIn,
    security(("bearer" = [])),
    responses((status = 204, description = "Gone"), (status = 409, description = "It is the operator's own")))]
pub(super) async fn delete_account(
    State(api): State<Api>,
    person: Person,
    body: Body<DeleteMeIn>,
) -> Result<StatusCode, Problem> {
    let DeleteMeIn { password, code } = body.value;
    let account = person.actor.account();
    let proof = (&password, code.as_ref());
    let delete = api.commands.delete_account(account, person.id, proof, &person.cause);
    checked(&api, &person, delete).await?;
    Ok(StatusCode::NO_CONTENT)
}
