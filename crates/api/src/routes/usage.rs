//! What an account used, day by day.

use axum::{extract::State, http::StatusCode, response::Response};
use waxwing_app::queries;
use waxwing_domain::AccountId;

use super::answer;
use crate::{
    Api, Problem,
    extract::{AccountRead, Actor, AdminRead, IdPath, Operator, ValidQuery},
    rate_limit::{self, Holder, USAGE},
    shapes::{UsageOut, UsageQuery},
};

/// What `account` used, for somebody of the account `asker`.
async fn used(
    api: &Api,
    asker: AccountId,
    account: AccountId,
    query: &UsageQuery,
) -> Result<Response, Problem> {
    let clock = &*api.commands.ports.clock;
    let days = query.days(clock.now())?;
    rate_limit::take(api, &Holder::new(&USAGE, asker, ""), "The account has asked for usage too often")
        .await?;
    let days = queries::usage(&*api.records, clock, account, days).await?;
    Ok(answer(StatusCode::OK, UsageOut::from(days)))
}

/// Get the usage
///
/// Messages and active sessions of each UTC day, up to 92 days. The numbers are exact once `complete` is true; today's, and until
/// 02:00 yesterday's, may lag by a moment and grow. Where all is too much for one request, `complete` is false and the next one
/// goes on, days that are over first; today's numbers are then as old as the requests that counted them, and stand for a minute.
/// Not for keys that are bound to sessions.
#[utoipa::path(get, path = "/usage", operation_id = "getUsage", tag = "account", params(UsageQuery),
    responses((status = 200, description = "The usage", body = UsageOut)))]
pub(super) async fn get_usage(
    State(api): State<Api>,
    actor: Actor<AccountRead>,
    ValidQuery(query): ValidQuery<UsageQuery>,
) -> Result<Response, Problem> {
    if !actor.caller().may_touch_all() {
        return Err(Problem::new("forbidden", "A key that is bound to sessions sees no usage of others."));
    }
    used(&api, actor.account(), actor.account(), &query).await
}

/// Get the usage of an account
///
/// The same for any tenant.
#[utoipa::path(get, path = "/admin/accounts/{id}/usage", operation_id = "getAccountUsage", tag = "admin",
    params(("id" = String, Path, description = "The account's id."), UsageQuery),
    responses((status = 200, description = "The usage", body = UsageOut)))]
pub(super) async fn get_account_usage(
    State(api): State<Api>,
    Operator(actor): Operator<AdminRead>,
    IdPath(id): IdPath<AccountId>,
    ValidQuery(query): ValidQuery<UsageQuery>,
) -> Result<Response, Problem> {
    if queries::account(&api.commands.ports, id).await?.created().is_none() {
        return Err(Problem::not_found("account"));
    }
    used(&api, actor.account(), id, &query).await
}
