//! Webhook endpoints.

use axum::{extract::State, http::StatusCode, response::Response};
use url::Url;
use waxwing_app::{
    commands::{CreatedWebhook, NewWebhook, Once, Repeatable},
    queries,
    views::WebhookView,
};
use waxwing_domain::{Feature, WebhookEndpointId};

use super::{admin_features::stopped, answer, kept, repeated};
use crate::{
    Api, Problem, cursor,
    extract::{Actor, Body, IdPath, IdempotencyKey, PageQuery, ValidQuery, WebhooksRead, WebhooksWrite},
    shapes::{CreateWebhookIn, Page, WebhookOut},
};

/// Make a webhook endpoint
///
/// Its signing secret is in this answer and in no other. Deliveries follow the Standard Webhooks specification.
#[utoipa::path(post, path = "/webhooks", operation_id = "createWebhook", tag = "webhooks", request_body = CreateWebhookIn,
    params(IdempotencyKey),
    responses((status = 201, description = "Made", body = WebhookOut)))]
pub(super) async fn create_webhook(
    State(api): State<Api>,
    actor: Actor<WebhooksWrite>,
    key: IdempotencyKey,
    body: Body<CreateWebhookIn>,
) -> Result<Response, Problem> {
    let idempotency = key.of("POST /webhooks", &body.raw);
    if let Some(stored) = stopped(&api, &actor, Feature::Webhooks, idempotency.as_ref()).await? {
        return Ok(repeated(stored));
    }
    let CreateWebhookIn { url, events, session_ids, description } = body.value;
    let parsed = Url::parse(&url).map_err(|error| Problem::field("/url", error.to_string()))?;
    api.webhooks.check(parsed.as_str()).map_err(|error| Problem::field("/url", error.to_string()))?;
    for session in session_ids.iter().flatten() {
        actor.session(*session).map_err(|problem| problem.at("/session_ids"))?;
    }
    if session_ids.is_none() && !actor.caller().may_touch_all() {
        return Err(Problem::new("forbidden", "Name the sessions: the caller may touch some only."));
    }
    let kept = |created: &CreatedWebhook| kept(StatusCode::CREATED, &WebhookOut::new(&created.view, None));
    let repeatable = idempotency.map(|idempotency| Repeatable { idempotency, answer: &kept });
    let new = NewWebhook { url, events, session_ids, description };
    Ok(match api.commands.create_webhook(actor.account(), new, repeatable, &actor.cause()).await? {
        Once::Done(CreatedWebhook { view, secret }) => {
            answer(StatusCode::CREATED, WebhookOut::new(&view, Some(secret.0)))
        },
        Once::Repeated(stored) => repeated(stored),
    })
}

/// List webhook endpoints
#[utoipa::path(get, path = "/webhooks", operation_id = "listWebhooks", tag = "webhooks", params(PageQuery),
    responses((status = 200, description = "A page, oldest first", body = Page<WebhookOut>)))]
pub(super) async fn list_webhooks(
    State(api): State<Api>,
    actor: Actor<WebhooksRead>,
    ValidQuery(page): ValidQuery<PageQuery>,
) -> Result<Response, Problem> {
    let (limit, after) = page.read()?;
    let views = queries::webhooks(&*api.records, actor.account()).await?;
    let behind = |id: String| after.as_ref().is_none_or(|after| id > *after);
    let is_listed =
        |view: &WebhookView| actor.may_touch_each(view.session_ids.as_deref()) && behind(view.id.to_string());
    let mut views: Vec<_> = views.into_iter().filter(is_listed).collect();
    let more = views.len() > limit;
    views.truncate(limit);
    let next_cursor = views.last().filter(|_| more).map(|view| cursor::encode(&view.id.to_string()));
    let data: Vec<WebhookOut> = views.iter().map(|view| WebhookOut::new(view, None)).collect();
    Ok(answer(StatusCode::OK, Page { data, next_cursor }))
}

/// One whose events come from a session that the credential may not touch looks like one that is not there.
async fn found<S>(api: &Api, actor: &Actor<S>, id: WebhookEndpointId) -> Result<WebhookView, Problem> {
    let view = queries::webhook(&api.commands.ports, actor.account(), id).await?;
    let view = view.filter(|view| actor.may_touch_each(view.session_ids.as_deref()));
    view.ok_or_else(|| Problem::not_found("webhook"))
}

/// Get a webhook endpoint
#[utoipa::path(get, path = "/webhooks/{id}", operation_id = "getWebhook", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    responses((status = 200, description = "The endpoint", body = WebhookOut)))]
pub(super) async fn get_webhook(
    State(api): State<Api>,
    actor: Actor<WebhooksRead>,
    IdPath(id): IdPath<WebhookEndpointId>,
) -> Result<Response, Problem> {
    let view = found(&api, &actor, id).await?;
    Ok(answer(StatusCode::OK, WebhookOut::new(&view, None)))
}

/// Delete a webhook endpoint
///
/// Deliveries that wait for it are dropped.
#[utoipa::path(delete, path = "/webhooks/{id}", operation_id = "deleteWebhook", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    responses((status = 204, description = "Deleted")))]
pub(super) async fn delete_webhook(
    State(api): State<Api>,
    actor: Actor<WebhooksWrite>,
    IdPath(id): IdPath<WebhookEndpointId>,
) -> Result<StatusCode, Problem> {
    found(&api, &actor, id).await?;
    api.commands.delete_webhook(actor.account(), id, &actor.cause()).await?;
    Ok(StatusCode::NO_CONTENT)
}
