//! Several messages in one request.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode, response::Response};
use futures::future::join_all;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use waxwing_app::commands::{Idempotency, Once};

use super::{answer, messages::accept};
use crate::{
    Api, Problem,
    extract::{Actor, Body, IdempotencyKey, MessagesSend},
    problem::ProblemBody,
    rate_limit,
    shapes::AcceptedMessageOut,
};

/// Most messages of one request.
pub(crate) const BATCH_MAX: usize = 100;
const ROUTE: &str = "POST /messages/batch";

/// Messages to send.
#[derive(ToSchema)]
#[schema(as = SendBatch)]
#[expect(dead_code, reason = "the schema of a body that is read message by message")]
pub(super) struct SendBatchIn {
    /// Each is a body of `sendMessage`, and judged by itself.
    #[schema(min_items = 1, max_items = 100)]
    messages: Vec<Value>,
}

/// What became of the messages of a batch.
#[derive(Serialize, ToSchema)]
#[schema(as = BatchAnswer)]
pub(super) struct BatchOut {
    /// One entry for each message, in their order.
    data: Vec<BatchEntryOut>,
}

/// What became of one message of a batch.
#[derive(Serialize, ToSchema)]
#[schema(as = BatchEntry)]
pub(super) struct BatchEntryOut {
    /// The status with which `sendMessage` would have answered.
    #[schema(example = 202)]
    status: u16,
    /// The message, where it was accepted.
    #[schema(value_type = Option<AcceptedMessageOut>, required)]
    message: Option<Value>,
    /// Why it was not, where it was not.
    #[schema(required)]
    error: Option<ProblemBody>,
}

/// Send several messages
///
/// 1 to 100, each accepted or refused by itself, with an answer of its own; those to the same recipient leave in the order in
/// which they stand here. Each counts as a message against the limits. With an `Idempotency-Key` a repetition sends what was
/// not accepted before, and nothing twice.
#[utoipa::path(post, path = "/messages/batch", operation_id = "sendBatch", tag = "messages",
    request_body = SendBatchIn, params(IdempotencyKey),
    responses((status = 202, description = "An answer for each", body = BatchOut)))]
pub(super) async fn send_batch(
    State(api): State<Api>,
    actor: Actor<MessagesSend>,
    IdempotencyKey(key): IdempotencyKey,
    body: Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let mut body = body.value;
    let messages = match body.remove("messages") {
        Some(Value::Array(messages)) if (1..=BATCH_MAX).contains(&messages.len()) => messages,
        Some(_) => return Err(Problem::field("/messages", format!("expected 1 to {BATCH_MAX} messages"))),
        None => return Err(Problem::field("/messages", "this field is needed")),
    };
    if let Some(name) = body.keys().next() {
        return Err(Problem::field(format!("/{name}"), "expected only messages"));
    }
    let mut chats: BTreeMap<String, Vec<(usize, Value)>> = BTreeMap::new();
    for (index, message) in messages.into_iter().enumerate() {
        let chat = format!("{}/{}", message["session_id"], message["to"]);
        chats.entry(chat).or_default().push((index, message));
    }
    let sent = chats.into_values().map(|messages| async {
        let mut answers = Vec::with_capacity(messages.len());
        for (index, message) in messages {
            answers.push((index, one(&api, &actor, key.as_deref(), index, message).await));
        }
        answers
    });
    let mut answers: Vec<(usize, BatchEntryOut)> = join_all(sent).await.into_iter().flatten().collect();
    answers.sort_by_key(|(index, _)| *index);
    let data = answers.into_iter().map(|(_, entry)| entry).collect();
    Ok(answer(StatusCode::ACCEPTED, BatchOut { data }))
}

async fn one(
    api: &Api,
    actor: &Actor<MessagesSend>,
    key: Option<&str>,
    index: usize,
    message: Value,
) -> BatchEntryOut {
    match accepted(api, actor, key, index, message).await {
        Ok((status, message)) => BatchEntryOut { status, message: Some(message), error: None },
        Err(problem) => {
            let error = problem.told();
            BatchEntryOut { status: error.status(), message: None, error: Some(error) }
        },
    }
}

async fn accepted(
    api: &Api,
    actor: &Actor<MessagesSend>,
    key: Option<&str>,
    index: usize,
    message: Value,
) -> Result<(u16, Value), Problem> {
    if index > 0 {
        // The first was counted with the request.
        rate_limit::count_send(api, actor.caller()).await?;
    }
    let raw = message.to_string();
    let Value::Object(message) = message else { return Err(Problem::field("", "expected an object")) };
    let idempotency = key.map(|key| Idempotency::new(format!("{key}/{index}"), ROUTE, raw.as_bytes()));
    Ok(match accept(api, actor, idempotency, None, message).await? {
        Once::Done(view) => (StatusCode::ACCEPTED.as_u16(), json!(AcceptedMessageOut::from(&view))),
        Once::Repeated(stored) => (stored.status, serde_json::from_str(&stored.body).unwrap_or_default()),
    })
}
