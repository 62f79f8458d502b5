//! What is done to messages.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use waxwing_app::views::MessageView;
use waxwing_domain::{
    Feature, MessageId, Text,
    content::TEXT_CHARS_MAX,
    message::{EMOJI_BYTES_MAX, MessageStatus, Operation},
};

use super::{admin_features::stopped, answer, messages::found};
use crate::{
    Api, Problem,
    extract::{Actor, Body, IdPath, MessagesSend, ValidQuery},
    shapes::AcceptedMessageOut,
};

/// Another text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EditMessage)]
pub(super) struct EditMessageIn {
    /// The text.
    #[schema(min_length = 1, max_length = 65536, example = "Your table is ready at eight.")]
    text: String,
}

/// A reaction.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetReaction)]
pub(super) struct ReactionIn {
    /// One emoji.
    #[schema(min_length = 1, max_length = 128, example = "👍")]
    emoji: String,
}

/// For whom a message is deleted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteQuery {
    /// `everyone` (the default).
    #[serde(rename = "for")]
    whom: Option<String>,
}

/// Accepts an operation. The answer names the message and not what it says: whoever may send need not be allowed to read.
async fn change(
    api: &Api,
    actor: &Actor<MessagesSend>,
    id: MessageId,
    operation: Operation,
) -> Result<Response, Problem> {
    let view = found(api, actor, id).await?;
    stopped(api, actor, Feature::Sending, None).await?;
    api.commands.change_message(actor.account(), &view, operation, &actor.cause()).await?;
    Ok(accepted(&view))
}

fn accepted(view: &MessageView) -> Response {
    answer(StatusCode::ACCEPTED, AcceptedMessageOut::from(view))
}

/// Edit a message
///
/// Another text for a text that the session sent. WhatsApp's apps take it for some 15 minutes. 202 means that it is durable
/// and will be sent; `message.edited` tells when it was.
#[utoipa::path(patch, path = "/messages/{id}", operation_id = "editMessage", tag = "messages",
    request_body = EditMessageIn, params(("id" = String, Path, description = "The message's id.")),
    responses((status = 202, description = "Accepted", body = AcceptedMessageOut)))]
pub(super) async fn edit_message(
    State(api): State<Api>,
    actor: Actor<MessagesSend>,
    IdPath(id): IdPath<MessageId>,
    body: Body<EditMessageIn>,
) -> Result<Response, Problem> {
    let text = body.value.text;
    if !(1..=TEXT_CHARS_MAX).contains(&text.chars().count()) {
        return Err(Problem::field("/text", "expected 1 to 65,536 characters"));
    }
    change(&api, &actor, id, Operation::Edit { text: Text(text) }).await
}

/// Delete a message
///
/// Withdraws a message that waits to be sent; one that was sent is taken back for everyone, and `message.deleted` tells when
/// it was. WhatsApp's apps take that for some two days.
#[utoipa::path(delete, path = "/messages/{id}", operation_id = "deleteMessage", tag = "messages",
    params(("id" = String, Path, description = "The message's id."), DeleteQuery),
    responses((status = 202, description = "Accepted", body = AcceptedMessageOut)))]
pub(super) async fn delete_message(
    State(api): State<Api>,
    actor: Actor<MessagesSend>,
    IdPath(id): IdPath<MessageId>,
    ValidQuery(query): ValidQuery<DeleteQuery>,
) -> Result<Response, Problem> {
    match query.whom.as_deref() {
        None | Some("everyone") => {},
        Some(_) => return Err(Problem::field("/query/for", "expected everyone")),
    }
    match found(&api, &actor, id).await?.status {
        MessageStatus::Queued => cancel(&api, &actor, id).await,
        _ => change(&api, &actor, id, Operation::Delete).await,
    }
}

/// Withdraw a message
///
/// One that waits to be sent. A message that is on its way just now may arrive nevertheless: then it is `sent`.
#[utoipa::path(post, path = "/messages/{id}/cancel", operation_id = "cancelMessage", tag = "messages",
    params(("id" = String, Path, description = "The message's id.")),
    responses((status = 202, description = "Withdrawn", body = AcceptedMessageOut)))]
pub(super) async fn cancel_message(
    State(api): State<Api>,
    actor: Actor<MessagesSend>,
    IdPath(id): IdPath<MessageId>,
) -> Result<Response, Problem> {
    found(&api, &actor, id).await?;
    cancel(&api, &actor, id).await
}

async fn cancel(api: &Api, actor: &Actor<MessagesSend>, id: MessageId) -> Result<Response, Problem> {
    api.commands.cancel_message(actor.account(), id, &actor.cause()).await?;
    let mut view = found(api, actor, id).await?;
    // The row may lag behind the stream for a moment.
    view.status = view.status.advanced(MessageStatus::Canceled);
    Ok(accepted(&view))
}

/// React to a message
///
/// In place of the reaction before. `message.reaction` tells when it was sent.
#[utoipa::path(put, path = "/messages/{id}/reaction", operation_id = "setReaction", tag = "messages",
    request_body = ReactionIn, params(("id" = String, Path, description = "The message's id.")),
    responses((status = 202, description = "Accepted", body = AcceptedMessageOut)))]
pub(super) async fn set_reaction(
    State(api): State<Api>,
    actor: Actor<MessagesSend>,
    IdPath(id): IdPath<MessageId>,
    body: Body<ReactionIn>,
) -> Result<Response, Problem> {
    let emoji = body.value.emoji;
    if emoji.trim().is_empty() || emoji.len() > EMOJI_BYTES_MAX {
        return Err(Problem::field("/emoji", "expected one emoji"));
    }
    change(&api, &actor, id, Operation::React { emoji }).await
}

/// Take a reaction back
#[utoipa::path(delete, path = "/messages/{id}/reaction", operation_id = "removeReaction", tag = "messages",
    params(("id" = String, Path, description = "The message's id.")),
    responses((status = 202, description = "Accepted", body = AcceptedMessageOut)))]
pub(super) async fn remove_reaction(
    State(api): State<Api>,
    actor: Actor<MessagesSend>,
    IdPath(id): IdPath<MessageId>,
) -> Result<Response, Problem> {
    change(&api, &actor, id, Operation::React { emoji: String::new() }).await
}
