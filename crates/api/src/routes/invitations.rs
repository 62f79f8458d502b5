//! Invitations to become a member of the account.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode, response::Response};
use waxwing_app::{
    commands::{Caller, Joined, NewInvitation, Newcomer, Once, Principal, Repeatable},
    queries,
    views::InvitationView,
};
use waxwing_domain::InvitationId;

use super::{answer, kept, repeated};
use crate::{
    Api, Problem, cursor,
    extract::{
        Actor, Body, IdPath, IdempotencyKey, MembersRead, MembersWrite, PageQuery, Stranger, ValidQuery,
    },
    rate_limit::{self, MAILS},
    shapes::{AcceptInvitationIn, AcceptedInvitationOut, InvitationOut, InviteIn, MeOut, Page},
};

/// Invite somebody
///
/// A mail with a token goes to the address; it is good once, for seven days. Nobody invites another as more than they are.
/// 100 invitations can be open.
#[utoipa::path(post, path = "/invitations", operation_id = "createInvitation", tag = "members", request_body = InviteIn,
    params(IdempotencyKey),
    responses((status = 201, description = "Invited; a mail follows", body = InvitationOut),
        (status = 409, description = "The address is a member's, or invited already, or there are too many")))]
pub(super) async fn create_invitation(
    State(api): State<Api>,
    actor: Actor<MembersWrite>,
    key: IdempotencyKey,
    body: Body<InviteIn>,
) -> Result<Response, Problem> {
    rate_limit::count_stranger(&api, &MAILS, actor.address()).await?;
    let idempotency = key.of("POST /invitations", &body.raw);
    let InviteIn { email, role } = body.value;
    let kept = |view: &InvitationView| kept(StatusCode::CREATED, &InvitationOut::from(view.clone()));
    let repeatable = idempotency.map(|idempotency| Repeatable { idempotency, answer: &kept });
    let (new, authority) = (NewInvitation { email, role }, actor.caller().authority());
    let invited = api.commands.invite(actor.account(), new, authority, repeatable, &actor.cause()).await?;
    Ok(match invited {
        Once::Done(view) => answer(StatusCode::CREATED, InvitationOut::from(view)),
        Once::Repeated(stored) => repeated(stored),
    })
}

/// List invitations
///
/// Those that can still be accepted.
#[utoipa::path(get, path = "/invitations", operation_id = "listInvitations", tag = "members", params(PageQuery),
    responses((status = 200, description = "A page, oldest first", body = Page<InvitationOut>)))]
pub(super) async fn list_invitations(
    State(api): State<Api>,
    actor: Actor<MembersRead>,
    ValidQuery(page): ValidQuery<PageQuery>,
) -> Result<Response, Problem> {
    let (limit, after) = page.read()?;
    let ports = &api.commands.ports;
    let views = queries::invitations(ports, actor.account(), ports.clock.now()).await?;
    let behind = |id: &String| after.as_ref().is_none_or(|after| id > after);
    let mut views: Vec<_> = views.into_iter().filter(|view| behind(&view.id.to_string())).collect();
    let more = views.len() > limit;
    views.truncate(limit);
    let next_cursor = views.last().filter(|_| more).map(|view| cursor::encode(&view.id.to_string()));
    let data: Vec<InvitationOut> = views.into_iter().map(InvitationOut::from).collect();
    Ok(answer(StatusCode::OK, Page { data, next_cursor }))
}

/// Revoke an invitation
///
/// Its token is dead at once.
#[utoipa::path(delete, path = "/invitations/{id}", operation_id = "deleteInvitation", tag = "members",
    params(("id" = String, Path, description = "The invitation's id.", example = "inv_01KAJ1V7Q6E1P8K3M5R7T9W2YB")),
    responses((status = 204, description = "Revoked")))]
pub(super) async fn delete_invitation(
    State(api): State<Api>,
    actor: Actor<MembersWrite>,
    IdPath(id): IdPath<InvitationId>,
) -> Result<StatusCode, Problem> {
    let authority = actor.caller().authority();
    api.commands.revoke_invitation(actor.account(), id, authority, &actor.cause()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Accept an invitation
///
/// With the token of the mail. The user who has the invited address becomes a member; name and password are then ignored.
/// Where nobody has it, or nobody has confirmed it, they are needed: they make a user whose address counts as confirmed.
/// Sign in afterwards, with `account_id` where the user belongs to several accounts.
#[utoipa::path(post, path = "/invitations/accept", operation_id = "acceptInvitation", tag = "members",
    request_body = AcceptInvitationIn, security(()),
    responses((status = 200, description = "A member now", body = AcceptedInvitationOut),
        (status = 409, description = "A member already, or there are too many")))]
pub(super) async fn accept_invitation(
    State(api): State<Api>,
    stranger: Stranger,
    body: Body<AcceptInvitationIn>,
) -> Result<Response, Problem> {
    let AcceptInvitationIn { token, name, password } = body.value;
    let newcomer = Newcomer { name, password };
    let accept = api.commands.accept_invitation(&token, newcomer, &stranger.cause);
    let Joined { account, user: id, role } = stranger.guess(None).run(&api, accept).await?;
    let principal = Principal::User { id, sign_in: String::new(), role };
    let caller = Caller { account, principal, features: BTreeMap::new() };
    let MeOut { user, account, .. } = queries::me(&api.commands.ports, &caller).await?.into();
    let user = user.ok_or_else(|| Problem::new("internal", "Something went wrong here."))?;
    Ok(answer(StatusCode::OK, AcceptedInvitationOut { user, account, role: role.into() }))
}
