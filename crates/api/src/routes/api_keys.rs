//! API keys.

use axum::{extract::State, http::StatusCode, response::Response};
use jiff::SignedDuration;
use waxwing_app::{
    commands::{CreatedApiKey, KEY_OVERLAP_S_MAX, KeyBounds, NewApiKey, Once, Repeatable},
    queries,
    views::ApiKeyView,
};
use waxwing_domain::{ApiKeyId, api_key::is_scope};

use super::{answer, kept, repeated};
use crate::{
    Api, Problem, cursor,
    extract::{Actor, ApiKeysRead, ApiKeysWrite, Body, IdPath, IdempotencyKey, PageQuery, ValidQuery},
    shapes::{ApiKeyOut, CreateApiKeyIn, Page, RotateApiKeyIn},
};

/// So long the key from before a rotation works, unless the caller says otherwise: an hour.
const OVERLAP_S: u32 = 3_600;

/// Make an API key
///
/// The key is in this answer and in no other. It can do no more than whoever makes it.
#[utoipa::path(post, path = "/api-keys", operation_id = "createApiKey", tag = "api_keys", request_body = CreateApiKeyIn,
    params(IdempotencyKey),
    responses((status = 201, description = "Made", body = ApiKeyOut)))]
pub(super) async fn create_api_key(
    State(api): State<Api>,
    actor: Actor<ApiKeysWrite>,
    key: IdempotencyKey,
    body: Body<CreateApiKeyIn>,
) -> Result<Response, Problem> {
    let idempotency = key.of("POST /api-keys", &body.raw);
    within(&actor, &body.value)?;
    let CreateApiKeyIn { name, mode, scopes, session_ids, ip_allow_list, expires_at, rate_limit_per_min } =
        body.value;
    let network = mode.into();
    let new = NewApiKey { name, network, scopes, session_ids, ip_allow_list, expires_at, rate_limit_per_min };
    let kept = |created: &CreatedApiKey| kept(StatusCode::CREATED, &ApiKeyOut::new(&created.view, None));
    let repeatable = idempotency.map(|idempotency| Repeatable { idempotency, answer: &kept });
    let drawn = api.commands.draw_api_key(network);
    let made = api.commands.create_api_key(actor.account(), drawn, new, repeatable, &actor.cause()).await?;
    Ok(match made {
        Once::Done(CreatedApiKey { view, key }) => {
            answer(StatusCode::CREATED, ApiKeyOut::new(&view, Some(key.0)))
        },
        Once::Repeated(stored) => repeated(stored),
    })
}

/// Nobody gives more than they have.
fn within(actor: &Actor<ApiKeysWrite>, wanted: &CreateApiKeyIn) -> Result<(), Problem> {
    for (place, scope) in wanted.scopes.iter().enumerate() {
        if !is_scope(scope) {
            let detail = "expected a scope such as messages:send, sessions:read or *";
            return Err(Problem::field(format!("/scopes/{place}"), detail));
        }
        if !actor.caller().may(scope) {
            return Err(Problem::new("forbidden", format!("The scope {scope} is not the caller's to give.")));
        }
    }
    for session in wanted.session_ids.iter().flatten() {
        actor.session(*session).map_err(|problem| problem.at("/session_ids"))?;
    }
    if wanted.session_ids.is_none() && !actor.caller().may_touch_all() {
        return Err(Problem::new("forbidden", "Name the sessions: the caller may touch some only."));
    }
    bounded(
        actor,
        KeyBounds {
            ip_allow_list: wanted.ip_allow_list.as_deref(),
            expires_at: wanted.expires_at,
            rate_limit_per_min: wanted.rate_limit_per_min,
        },
    )
}

fn bounded(actor: &Actor<ApiKeysWrite>, bounds: KeyBounds<'_>) -> Result<(), Problem> {
    match actor.caller().may_hold(&bounds) {
        true => Ok(()),
        false => Err(Problem::new(
            "forbidden",
            "The calling key is bound to addresses, a time or a limit, and this one would be bound less.",
        )),
    }
}

/// List API keys
#[utoipa::path(get, path = "/api-keys", operation_id = "listApiKeys", tag = "api_keys", params(PageQuery),
    responses((status = 200, description = "A page, oldest first", body = Page<ApiKeyOut>)))]
pub(super) async fn list_api_keys(
    State(api): State<Api>,
    actor: Actor<ApiKeysRead>,
    ValidQuery(page): ValidQuery<PageQuery>,
) -> Result<Response, Problem> {
    let (limit, after) = page.read()?;
    let views = queries::api_keys(&*api.records, actor.account()).await?;
    let behind = |id: String| after.as_ref().is_none_or(|after| id > *after);
    let is_listed =
        |view: &ApiKeyView| actor.may_touch_each(view.session_ids.as_deref()) && behind(view.id.to_string());
    let mut views: Vec<_> = views.into_iter().filter(is_listed).collect();
    let more = views.len() > limit;
    views.truncate(limit);
    let next_cursor = views.last().filter(|_| more).map(|view| cursor::encode(&view.id.to_string()));
    let data: Vec<ApiKeyOut> = views.iter().map(|view| ApiKeyOut::new(view, None)).collect();
    Ok(answer(StatusCode::OK, Page { data, next_cursor }))
}

/// One that may touch a session that the caller may not looks like one that is not there.
async fn found<S>(api: &Api, actor: &Actor<S>, id: ApiKeyId) -> Result<ApiKeyView, Problem> {
    let view = queries::api_key(&api.commands.ports, actor.account(), id).await?;
    let view = view.filter(|view| actor.may_touch_each(view.session_ids.as_deref()));
    view.ok_or_else(|| Problem::not_found("API key"))
}

/// Get an API key
#[utoipa::path(get, path = "/api-keys/{id}", operation_id = "getApiKey", tag = "api_keys",
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 200, description = "The key, without its secret", body = ApiKeyOut)))]
pub(super) async fn get_api_key(
    State(api): State<Api>,
    actor: Actor<ApiKeysRead>,
    IdPath(id): IdPath<ApiKeyId>,
) -> Result<Response, Problem> {
    let view = found(&api, &actor, id).await?;
    Ok(answer(StatusCode::OK, ApiKeyOut::new(&view, None)))
}

/// Delete an API key
///
/// It is dead at once, and cannot be brought back.
#[utoipa::path(delete, path = "/api-keys/{id}", operation_id = "deleteApiKey", tag = "api_keys",
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 204, description = "Deleted")))]
pub(super) async fn delete_api_key(
    State(api): State<Api>,
    actor: Actor<ApiKeysWrite>,
    IdPath(id): IdPath<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    found(&api, &actor, id).await?;
    api.commands.revoke_api_key(actor.account(), id, &actor.cause()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotate an API key
///
/// Gives it another secret, which is in this answer and in no other. The key from before works for an hour more, or for
/// as long as the request says.
#[utoipa::path(post, path = "/api-keys/{id}/rotate", operation_id = "rotateApiKey", tag = "api_keys",
    params(("id" = String, Path, description = "The key's id.")), request_body = Option<RotateApiKeyIn>,
    responses((status = 200, description = "Rotated", body = ApiKeyOut)))]
pub(super) async fn rotate_api_key(
    State(api): State<Api>,
    actor: Actor<ApiKeysWrite>,
    IdPath(id): IdPath<ApiKeyId>,
    body: Option<Body<RotateApiKeyIn>>,
) -> Result<Response, Problem> {
    let overlap_s = body.and_then(|body| body.value.overlap_s).unwrap_or(OVERLAP_S);
    if overlap_s > KEY_OVERLAP_S_MAX {
        return Err(Problem::field("/overlap_s", format!("expected 0 to {KEY_OVERLAP_S_MAX}")));
    }
    let account = actor.account();
    let before = found(&api, &actor, id).await?;
    // Whoever rotates a key has it afterwards.
    if !before.scopes.iter().all(|scope| actor.caller().may(scope)) {
        return Err(Problem::new("forbidden", "The key may do more than the caller."));
    }
    bounded(
        &actor,
        KeyBounds {
            ip_allow_list: before.ip_allow_list.as_deref(),
            expires_at: before.expires_at,
            rate_limit_per_min: before.rate_limit_per_min,
        },
    )?;
    let overlap = SignedDuration::from_secs(overlap_s.into());
    let CreatedApiKey { view, key } =
        api.commands.rotate_api_key(account, id, overlap, &actor.cause()).await?;
    Ok(answer(StatusCode::OK, ApiKeyOut::new(&view, Some(key.0))))
}
