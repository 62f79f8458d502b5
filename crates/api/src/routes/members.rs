//! Who belongs to the account, and as what.

use axum::{extract::State, http::StatusCode, response::Response};
use waxwing_app::{commands::Principal, queries};
use waxwing_domain::UserId;

use super::answer;
use crate::{
    Api, Problem, cursor,
    extract::{Actor, AnyScope, Body, IdPath, MembersRead, MembersWrite, PageQuery, Scope as _, ValidQuery},
    shapes::{ChangeMemberIn, MemberOut, Page},
};

/// List members
#[utoipa::path(get, path = "/members", operation_id = "listMembers", tag = "members", params(PageQuery),
    responses((status = 200, description = "A page, sorted by id: those who registered first come first", body = Page<MemberOut>)))]
pub(super) async fn list_members(
    State(api): State<Api>,
    actor: Actor<MembersRead>,
    ValidQuery(page): ValidQuery<PageQuery>,
) -> Result<Response, Problem> {
    let (limit, after) = page.read()?;
    let after = after.map(|after| after.parse::<UserId>()).transpose();
    let after =
        after.map_err(|_| Problem::field("/query/cursor", "expected the next_cursor of an earlier page"))?;
    let (views, more) = queries::members(&api.commands.ports, actor.account(), after, limit).await?;
    let next_cursor = views.last().filter(|_| more).map(|view| cursor::encode(&view.id.to_string()));
    let data: Vec<MemberOut> = views.into_iter().map(MemberOut::from).collect();
    Ok(answer(StatusCode::OK, Page { data, next_cursor }))
}

/// Change a member's role
///
/// It counts at once. Nobody makes another more than they are, or changes somebody who is more: an admin neither makes nor
/// changes owners. An API key decides about a role if it has all of the role's scopes. An account keeps at least one owner.
#[utoipa::path(patch, path = "/members/{user_id}", operation_id = "updateMember", tag = "members", request_body = ChangeMemberIn,
    params(("user_id" = String, Path, description = "The user's id.", example = "usr_01KAJ1V7Q6E1P8K3M5R7T9W2YB")),
    responses((status = 200, description = "Changed", body = MemberOut),
        (status = 409, description = "The last owner has to stay one")))]
pub(super) async fn change_member(
    State(api): State<Api>,
    actor: Actor<MembersWrite>,
    IdPath(user): IdPath<UserId>,
    body: Body<ChangeMemberIn>,
) -> Result<Response, Problem> {
    let (account, authority) = (actor.account(), actor.caller().authority());
    api.commands.change_role(account, (user, body.value.role), authority, &actor.cause()).await?;
    let view = queries::member(&api.commands.ports, account, user).await?;
    let view = view.ok_or_else(|| Problem::not_found("member"))?;
    Ok(answer(StatusCode::OK, MemberOut::from(view)))
}

/// Remove a member
///
/// The member's sign-ins to the account are dead at once; API keys stay, since they are the account's. Everybody may remove
/// themselves, whatever their role, except the last owner.
#[utoipa::path(delete, path = "/members/{user_id}", operation_id = "deleteMember", tag = "members",
    params(("user_id" = String, Path, description = "The user's id.", example = "usr_01KAJ1V7Q6E1P8K3M5R7T9W2YB")),
    responses((status = 204, description = "Removed"), (status = 409, description = "The last owner has to stay")))]
pub(super) async fn delete_member(
    State(api): State<Api>,
    actor: Actor<AnyScope>,
    IdPath(user): IdPath<UserId>,
) -> Result<StatusCode, Problem> {
    let (account, caller) = (actor.account(), actor.caller());
    match caller.principal {
        Principal::User { id, .. } if id == user => {
            api.commands.leave_account(account, user, &actor.cause()).await?;
        },
        _ => {
            MembersWrite::check(caller)?;
            api.commands.remove_member(account, user, caller.authority(), &actor.cause()).await?;
        },
    }
    Ok(StatusCode::NO_CONTENT)
}
