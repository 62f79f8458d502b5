//! Groups of the simulated network. Each thing is done by one of its people, within what WhatsApp lets that person do.

use axum::{
    extract::{FromRequestParts, Path, State},
    http::request::Parts,
    response::Response,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::IntoParams;
use waxwing_app::ports::SandboxRequest;
use waxwing_domain::{Jid, PhoneNumber};

use super::sandbox::{call, get, keyed, of_phone, page, with};
use crate::{
    Api, Problem,
    extract::{Actor, Body, IdempotencyKey, PageQuery, SandboxRead, SandboxWrite, ValidQuery},
    shapes::{
        AnswerJoinRequestsIn, ChangeGroupIn, ChangeParticipantsIn, CreateGroupIn, Empty, GroupActorIn,
        GroupOut, InviteOut, JoinGroupIn, JoinRequestOut, JoinedOut, Page, ParticipantChangeOut,
    },
};

/// A group in the address.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct GroupPath {
    /// The group's address, with or without `@g.us`.
    #[param(value_type = String, example = "120363000000000001@g.us")]
    group: String,
}

impl FromRequestParts<Api> for GroupPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, api).await;
        let Path(text) = path.map_err(|_| Problem::field("/path", "the address cannot be read"))?;
        let user = text.strip_suffix("@g.us").unwrap_or(&text);
        match Jid::parse(&format!("{user}@g.us")) {
            Ok(Jid::Group(group)) => Ok(Self { group }),
            _ => Err(Problem::field("/path/group", "expected the address of a group: digits and @g.us")),
        }
    }
}

/// Who looks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MemberQuery {
    /// The number of a member's phone: for others there is no group.
    #[param(example = "15550001111")]
    member: String,
}

/// Whose groups, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GroupsQuery {
    /// The number of the phone whose groups they are.
    #[param(example = "15550001111")]
    member: String,
    /// Most entries of the page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

fn number(text: &str, pointer: &str) -> Result<PhoneNumber, Problem> {
    // In a query a plus sign is a space.
    PhoneNumber::parse(text.trim()).map_err(|error| Problem::field(pointer, error.to_string()))
}

/// The groups of a phone, or something of them.
fn of_member(text: &str, pointer: &str, what: &str) -> Result<String, Problem> {
    Ok(of_phone(&number(text, pointer)?, &format!("groups{what}")))
}

/// What the person of `by` does in a group, or with groups; `by` is no part of what the network is told.
fn by(method: &'static str, by: &str, what: &str, value: &impl Serialize) -> Result<SandboxRequest, Problem> {
    let mut request = with(method, of_member(by, "/by", what)?, value);
    if let Some(body) = request.body.as_mut().and_then(Value::as_object_mut) {
        body.remove("by");
    }
    Ok(request)
}

/// Lets the person of `by` do it.
async fn done<T: Serialize + DeserializeOwned>(
    api: &Api,
    actor: &Actor<SandboxWrite>,
    request: SandboxRequest,
) -> Result<Response, Problem> {
    seen::<T, _>(api, actor, request, "/by").await
}

/// Calls the network for a person whose phone stands at `pointer`.
async fn seen<T: Serialize + DeserializeOwned, S>(
    api: &Api,
    actor: &Actor<S>,
    request: SandboxRequest,
    pointer: &str,
) -> Result<Response, Problem> {
    let answer = call::<T>(api, actor.account(), request).await;
    answer.map_err(|problem| match problem.code() {
        "phone_not_found" | "phone_not_allowed" if !problem.names_a_field() => problem.at(pointer),
        _ => problem,
    })
}

/// Make a group
///
/// Sessions of its members are told, as those of WhatsApp are.
#[utoipa::path(post, path = "/sandbox/groups", operation_id = "createSandboxGroup", tag = "sandbox",
    params(IdempotencyKey), request_body = CreateGroupIn,
    responses((status = 201, description = "Made", body = GroupOut)))]
pub(super) async fn create(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    key: IdempotencyKey,
    Body { value, .. }: Body<CreateGroupIn>,
) -> Result<Response, Problem> {
    let request = by("POST", &value.by, "", &value)?;
    done::<GroupOut>(&api, &actor, keyed(key, request)).await
}

/// List the groups of a phone
#[utoipa::path(get, path = "/sandbox/groups", operation_id = "listSandboxGroups", tag = "sandbox",
    params(GroupsQuery), responses((status = 200, description = "A page, oldest first", body = Page<GroupOut>)))]
pub(super) async fn list(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    ValidQuery(query): ValidQuery<GroupsQuery>,
) -> Result<Response, Problem> {
    let GroupsQuery { member, limit, cursor } = query;
    let path = of_member(&member, "/query/member", "")?;
    let request = page(&path, PageQuery::new(limit, cursor))?;
    seen::<Page<GroupOut>, _>(&api, &actor, request, "/query/member").await
}

/// Get a group as a member sees it
#[utoipa::path(get, path = "/sandbox/groups/{group}", operation_id = "getSandboxGroup", tag = "sandbox",
    params(GroupPath, MemberQuery), responses((status = 200, description = "The group", body = GroupOut)))]
pub(super) async fn show(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    GroupPath { group }: GroupPath,
    ValidQuery(MemberQuery { member }): ValidQuery<MemberQuery>,
) -> Result<Response, Problem> {
    let path = of_member(&member, "/query/member", &format!("/{group}"))?;
    seen::<GroupOut, _>(&api, &actor, get(path), "/query/member").await
}

/// Change a group
///
/// Only the fields that are named, as far as this person may.
#[utoipa::path(patch, path = "/sandbox/groups/{group}", operation_id = "changeSandboxGroup", tag = "sandbox",
    params(GroupPath), request_body = ChangeGroupIn,
    responses((status = 200, description = "The group now", body = GroupOut)))]
pub(super) async fn change(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    GroupPath { group }: GroupPath,
    Body { value, .. }: Body<ChangeGroupIn>,
) -> Result<Response, Problem> {
    done::<GroupOut>(&api, &actor, by("PATCH", &value.by, &format!("/{group}"), &value)?).await
}

/// Add, remove, promote or demote members
///
/// The answer says for each number what came of it.
#[utoipa::path(post, path = "/sandbox/groups/{group}/participants", operation_id = "changeSandboxParticipants",
    tag = "sandbox", params(GroupPath), request_body = ChangeParticipantsIn,
    responses((status = 200, description = "One entry for each number, in their order", body = Page<ParticipantChangeOut>)))]
pub(super) async fn change_participants(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    GroupPath { group }: GroupPath,
    Body { value, .. }: Body<ChangeParticipantsIn>,
) -> Result<Response, Problem> {
    if value.participants.is_empty() {
        return Err(Problem::field("/participants", "expected at least one number"));
    }
    let request = by("POST", &value.by, &format!("/{group}/participants"), &value)?;
    done::<Page<ParticipantChangeOut>>(&api, &actor, request).await
}

/// Get a group's invite code
#[utoipa::path(get, path = "/sandbox/groups/{group}/invite", operation_id = "getSandboxInvite", tag = "sandbox",
    params(GroupPath, MemberQuery), responses((status = 200, description = "The code", body = InviteOut)))]
pub(super) async fn invite(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    GroupPath { group }: GroupPath,
    ValidQuery(MemberQuery { member }): ValidQuery<MemberQuery>,
) -> Result<Response, Problem> {
    let path = of_member(&member, "/query/member", &format!("/{group}/invite"))?;
    seen::<InviteOut, _>(&api, &actor, get(path), "/query/member").await
}

/// Give a group another invite code
///
/// The one before is over.
#[utoipa::path(post, path = "/sandbox/groups/{group}/invite", operation_id = "renewSandboxInvite", tag = "sandbox",
    params(GroupPath), request_body = GroupActorIn,
    responses((status = 200, description = "The new code", body = InviteOut)))]
pub(super) async fn renew_invite(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    GroupPath { group }: GroupPath,
    Body { value, .. }: Body<GroupActorIn>,
) -> Result<Response, Problem> {
    let path = of_member(&value.by, "/by", &format!("/{group}/invite"))?;
    done::<InviteOut>(&api, &actor, SandboxRequest { method: "POST", ..get(path) }).await
}

/// Join a group by its invite code
#[utoipa::path(post, path = "/sandbox/groups/join", operation_id = "joinSandboxGroup", tag = "sandbox",
    request_body = JoinGroupIn, responses((status = 200, description = "The group", body = GroupOut),
        (status = 202, description = "An admin has to let them in", body = Empty)))]
pub(super) async fn join(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    Body { value, .. }: Body<JoinGroupIn>,
) -> Result<Response, Problem> {
    done::<JoinedOut>(&api, &actor, by("POST", &value.by, "/join", &value)?).await
}

/// List who waits to be let into a group
///
/// For its admins.
#[utoipa::path(get, path = "/sandbox/groups/{group}/join-requests", operation_id = "listSandboxJoinRequests",
    tag = "sandbox", params(GroupPath, MemberQuery),
    responses((status = 200, description = "Oldest first", body = Page<JoinRequestOut>)))]
pub(super) async fn join_requests(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    GroupPath { group }: GroupPath,
    ValidQuery(MemberQuery { member }): ValidQuery<MemberQuery>,
) -> Result<Response, Problem> {
    let path = of_member(&member, "/query/member", &format!("/{group}/join-requests"))?;
    seen::<Page<JoinRequestOut>, _>(&api, &actor, get(path), "/query/member").await
}

/// Let somebody into a group, or not
///
/// The answer says for each number what came of it.
#[utoipa::path(post, path = "/sandbox/groups/{group}/join-requests", operation_id = "answerSandboxJoinRequests",
    tag = "sandbox", params(GroupPath), request_body = AnswerJoinRequestsIn,
    responses((status = 200, description = "One entry for each number, in their order", body = Page<ParticipantChangeOut>)))]
pub(super) async fn answer_join_requests(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    GroupPath { group }: GroupPath,
    Body { value, .. }: Body<AnswerJoinRequestsIn>,
) -> Result<Response, Problem> {
    if value.participants.is_empty() {
        return Err(Problem::field("/participants", "expected at least one number"));
    }
    let request = by("POST", &value.by, &format!("/{group}/join-requests"), &value)?;
    done::<Page<ParticipantChangeOut>>(&api, &actor, request).await
}

/// Leave a group
///
/// When its owner leaves, the next admin owns it, else the next member.
#[utoipa::path(post, path = "/sandbox/groups/{group}/leave", operation_id = "leaveSandboxGroup", tag = "sandbox",
    params(GroupPath), request_body = GroupActorIn, responses((status = 204, description = "Left")))]
pub(super) async fn leave(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    GroupPath { group }: GroupPath,
    Body { value, .. }: Body<GroupActorIn>,
) -> Result<Response, Problem> {
    let path = of_member(&value.by, "/by", &format!("/{group}/leave"))?;
    done::<Empty>(&api, &actor, SandboxRequest { method: "POST", ..get(path) }).await
}
