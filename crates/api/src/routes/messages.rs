//! Messages.

use axum::{extract::State, http::StatusCode, response::Response};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::IntoParams;
use waxwing_app::{
    commands::{Idempotency, NewMessage, Once, Repeatable},
    ports::Found,
    queries::{self, MessageFilter},
    search::Terms,
    told_events,
    views::MessageView,
};
use waxwing_domain::{
    Feature, Jid, MessageId, Recipient, SessionId,
    context::MENTIONS_MAX,
    message::{Direction, MessageStatus},
};

use super::{admin_features::stopped, answer, kept, repeated};
use crate::{
    Api, Problem, cursor,
    extract::{
        Actor, Body, IdPath, IdempotencyKey, MessagesRead, MessagesSend, PageQuery, Scope, ValidQuery, limit,
    },
    shapes::{
        AcceptedMessageOut, MessageOut, Page, SendCommon, SendContactIn, SendLocationIn, SendMessage,
        SendMessageIn, SendTextIn, TimelineEntryOut,
    },
};

/// Largest `metadata`, as JSON.
pub(crate) const METADATA_BYTES_MAX: usize = 4 * 1_024;

/// Send a message
///
/// 202 means that it is durable: it will be sent once, or fail with a reason.
#[utoipa::path(post, path = "/messages", operation_id = "sendMessage", tag = "messages", request_body = SendMessageIn,
    params(IdempotencyKey),
    responses((status = 202, description = "Accepted", body = AcceptedMessageOut)))]
pub(super) async fn send_message(
    State(api): State<Api>,
    actor: Actor<MessagesSend>,
    key: IdempotencyKey,
    body: Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    send(&api, &actor, key, ("POST /messages", None), body).await
}

/// Send a text
///
/// The same as `sendMessage` with `type` `text`.
#[utoipa::path(post, path = "/messages/send", operation_id = "sendText", tag = "messages", request_body = SendTextIn,
    params(IdempotencyKey),
    responses((status = 202, description = "Accepted", body = AcceptedMessageOut)))]
pub(super) async fn send_text(
    State(api): State<Api>,
    actor: Actor<MessagesSend>,
    key: IdempotencyKey,
    body: Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    send(&api, &actor, key, ("POST /messages/send", Some("text")), body).await
}

/// Send a location
///
/// The same as `sendMessage` with `type` `location`.
#[utoipa::path(post, path = "/messages/location", operation_id = "sendLocation", tag = "messages",
    request_body = SendLocationIn, params(IdempotencyKey),
    responses((status = 202, description = "Accepted", body = AcceptedMessageOut)))]
pub(super) async fn send_location(
    State(api): State<Api>,
    actor: Actor<MessagesSend>,
    key: IdempotencyKey,
    body: Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    send(&api, &actor, key, ("POST /messages/location", Some("location")), body).await
}

/// Send contacts
///
/// The same as `sendMessage` with `type` `contact`.
#[utoipa::path(post, path = "/messages/contact", operation_id = "sendContact", tag = "messages",
    request_body = SendContactIn, params(IdempotencyKey),
    responses((status = 202, description = "Accepted", body = AcceptedMessageOut)))]
pub(super) async fn send_contact(
    State(api): State<Api>,
    actor: Actor<MessagesSend>,
    key: IdempotencyKey,
    body: Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    send(&api, &actor, key, ("POST /messages/contact", Some("contact")), body).await
}

/// A phone number or an address at this place of the body.
fn recipient(place: impl Into<String>, text: &str) -> Result<Jid, Problem> {
    Recipient::parse(text)
        .map(|Recipient(jid)| jid)
        .map_err(|error| Problem::field(place.into(), error.to_string()))
}

/// `kind` is the kind where the route says it.
async fn send(
    api: &Api,
    actor: &Actor<MessagesSend>,
    key: IdempotencyKey,
    (route, kind): (&'static str, Option<&str>),
    body: Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let idempotency = key.of(route, &body.raw);
    Ok(match accept(api, actor, idempotency, kind, body.value).await? {
        Once::Done(view) => answer(StatusCode::ACCEPTED, AcceptedMessageOut::from(&view)),
        Once::Repeated(stored) => repeated(stored),
    })
}

/// Accepts one message.
pub(super) async fn accept(
    api: &Api,
    actor: &Actor<MessagesSend>,
    idempotency: Option<Idempotency>,
    kind: Option<&str>,
    body: Map<String, Value>,
) -> Result<Once<MessageView>, Problem> {
    let SendMessage { common, content } = SendMessage::read(body, kind)?;
    let SendCommon { session_id, to, reply_to, mentions, send_at, view_once, expires_at, metadata } = common;
    if send_at.is_some() {
        return Err(Problem::field("/send_at", "scheduled messages are not available yet"));
    }
    if view_once == Some(true) {
        return Err(Problem::field("/view_once", "only media can be shown once"));
    }
    actor.session(session_id).map_err(|problem| problem.at("/session_id"))?;
    let to = recipient("/to", &to)?;
    let mentions = mentions.unwrap_or_default();
    if mentions.len() > MENTIONS_MAX {
        return Err(Problem::field("/mentions", format!("expected at most {MENTIONS_MAX}")));
    }
    let mentioned = mentions.iter().enumerate();
    let mentions = mentioned.map(|(index, person)| recipient(format!("/mentions/{index}"), person));
    let mentions = mentions.collect::<Result<_, _>>()?;
    let size = metadata.as_ref().map_or(0, |metadata| json!(metadata).to_string().len());
    if size > METADATA_BYTES_MAX {
        return Err(Problem::field("/metadata", "expected an object of up to 4 KB"));
    }
    if let Some(stored) = stopped(api, actor, Feature::Sending, idempotency.as_ref()).await? {
        return Ok(Once::Repeated(stored));
    }
    let new =
        NewMessage { session_id, to, content, reply_to, mentions, view_once: false, expires_at, metadata };
    let kept = |view: &MessageView| kept(StatusCode::ACCEPTED, &AcceptedMessageOut::from(view));
    let repeatable = idempotency.map(|idempotency| Repeatable { idempotency, answer: &kept });
    Ok(api.commands.send_message(actor.account(), new, repeatable, &actor.cause()).await?)
}

/// Which messages are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MessagesQuery {
    /// Most entries of the page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Of this session.
    #[param(value_type = Option<String>)]
    session_id: Option<SessionId>,
    /// Of this chat: a phone number or an address.
    chat: Option<String>,
    /// `in` or `out`.
    #[param(value_type = Option<String>)]
    direction: Option<Direction>,
    /// In this status: `scheduled`, `queued`, `sent`, `delivered`, `read`, `played`, `failed`, `canceled` or `expired`.
    status: Option<String>,
    /// Of this kind: a `type` of `POST /messages`, or `unsupported`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Only those that were recorded later: the time by which the list is sorted, never before `created_at`.
    #[param(value_type = Option<String>, format = DateTime)]
    after: Option<Timestamp>,
    /// Only those that were recorded earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    before: Option<Timestamp>,
    /// With these words, up to 8, whatever the case and the accents. A word that ends in `*` is the beginning of one (of two
    /// characters or more); words in double quotes stand side by side; all else separates words and means nothing. Finds
    /// words of texts and captions, a second after the message. A page may be short while there is a cursor.
    #[param(min_length = 1, max_length = 256)]
    q: Option<String>,
    /// `asc` (oldest first, the default) or `desc`.
    order: Option<String>,
}

/// Every `type` that a message may have.
const KINDS: &[&str] = &[
    "text",
    "image",
    "video",
    "video_note",
    "audio",
    "voice",
    "sticker",
    "document",
    "location",
    "contact",
    "poll",
    "event",
    "unsupported",
];
/// Longest `q`, in characters.
pub(crate) const Q_CHARS_MAX: usize = 256;

/// `None` for a status that no message has.
fn status(text: &str) -> Result<Option<MessageStatus>, Problem> {
    let known = MessageStatus::ALL.iter().find(|status| status.as_str() == text);
    match (known, text) {
        (Some(status), _) => Ok(Some(*status)),
        (None, "scheduled") => Ok(None),
        (None, _) => Err(Problem::field(
            "/query/status",
            "expected scheduled, queued, sent, delivered, read, played, failed, canceled or expired",
        )),
    }
}

impl MessagesQuery {
    /// `None` when no message can be wanted.
    fn filter(&self) -> Result<Option<MessageFilter>, Problem> {
        let status = self.status.as_deref().map(status).transpose()?;
        if self.kind.as_deref().is_some_and(|kind| !KINDS.contains(&kind)) {
            return Err(Problem::field("/query/type", format!("expected one of {}", KINDS.join(", "))));
        }
        if self.q.as_ref().is_some_and(|q| q.is_empty() || q.chars().count() > Q_CHARS_MAX) {
            return Err(Problem::field("/query/q", "expected 1 to 256 characters"));
        }
        let terms = self.q.as_deref().map(Terms::parse).transpose();
        let terms = terms.map_err(|error| Problem::field("/query/q", error.to_string()))?;
        let chat = self.chat.as_deref().map(str::trim).map(Recipient::parse).transpose();
        let chat = chat.map_err(|error| Problem::field("/query/chat", error.to_string()))?;
        let descending = match self.order.as_deref() {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => return Err(Problem::field("/query/order", "expected asc or desc")),
        };
        let filter = MessageFilter {
            session: self.session_id,
            chat: chat.map(|Recipient(jid)| jid),
            direction: self.direction,
            status: status.flatten(),
            kind: self.kind.clone(),
            text: terms,
            after: self.after,
            before: self.before,
            descending,
        };
        Ok((status != Some(None)).then_some(filter))
    }
}

/// List messages
///
/// Oldest first unless `order=desc`. A new message may take a second to appear.
#[utoipa::path(get, path = "/messages", operation_id = "listMessages", tag = "messages", params(MessagesQuery),
    responses((status = 200, description = "A page", body = Page<MessageOut>)))]
pub(super) async fn list_messages(
    State(api): State<Api>,
    actor: Actor<MessagesRead>,
    ValidQuery(query): ValidQuery<MessagesQuery>,
) -> Result<Response, Problem> {
    let (limit, cursor) = (limit(query.limit.as_deref())?, cursor::decode(query.cursor.as_deref())?);
    let filter = query.filter()?;
    if let Some(session) = query.session_id {
        actor.session(session)?;
        let known = queries::session(&api.commands.ports, &*api.records, actor.account(), session).await?;
        known.ok_or_else(|| Problem::not_found("session").at("/query/session_id"))?;
    }
    let Some(filter) = filter else {
        return Ok(answer(StatusCode::OK, Page::<Value> { data: Vec::new(), next_cursor: None }));
    };
    let allowed = |session| actor.may_touch(session);
    let (records, account) = (&*api.records, actor.account());
    let page = match &api.search {
        Some(search) if filter.text.is_some() => {
            let behind = cursor.as_deref().map(|cursor| Found::parse(cursor).ok_or_else(cursor::unknown));
            let behind = behind.transpose()?;
            queries::found_messages(&**search, records, account, &filter, &allowed, behind, limit).await?
        },
        _ => queries::messages(records, account, &filter, &allowed, cursor, limit).await?,
    };
    let data: Vec<Value> = page.messages.iter().map(told_events::message_json).collect();
    Ok(answer(StatusCode::OK, Page { data, next_cursor: page.next.map(|next| cursor::encode(&next)) }))
}

/// The message, as it stands.
pub(super) async fn found<S: Scope>(
    api: &Api,
    actor: &Actor<S>,
    id: MessageId,
) -> Result<MessageView, Problem> {
    let view = queries::message(&api.commands.ports, &*api.records, actor.account(), id).await?;
    view.filter(|view| actor.may_touch(view.session_id)).ok_or_else(|| Problem::not_found("message"))
}

/// Get a message
#[utoipa::path(get, path = "/messages/{id}", operation_id = "getMessage", tag = "messages",
    params(("id" = String, Path, description = "The message's id.")),
    responses((status = 200, description = "The message", body = MessageOut)))]
pub(super) async fn get_message(
    State(api): State<Api>,
    actor: Actor<MessagesRead>,
    IdPath(id): IdPath<MessageId>,
) -> Result<Response, Problem> {
    let view = found(&api, &actor, id).await?;
    Ok(answer(StatusCode::OK, told_events::message_json(&view)))
}

/// Get a message's timeline
///
/// Everything that happened to it, in the order in which it was recorded.
#[utoipa::path(get, path = "/messages/{id}/timeline", operation_id = "getMessageTimeline", tag = "messages",
    params(("id" = String, Path, description = "The message's id."), PageQuery),
    responses((status = 200, description = "A page of its events", body = Page<TimelineEntryOut>)))]
pub(super) async fn get_message_timeline(
    State(api): State<Api>,
    actor: Actor<MessagesRead>,
    IdPath(id): IdPath<MessageId>,
    ValidQuery(page): ValidQuery<PageQuery>,
) -> Result<Response, Problem> {
    let (limit, after) = page.read()?;
    found(&api, &actor, id).await?;
    let entries = queries::timeline(&api.commands.ports, actor.account(), id).await?;
    // Entries are never removed or moved, so the number of those already told is a position.
    let told = after.map_or(Ok(0), |after| after.parse::<usize>());
    let told =
        told.map_err(|_| Problem::field("/query/cursor", "expected the next_cursor of an earlier page"))?;
    let next = told.saturating_add(limit);
    let next_cursor = (next < entries.len()).then(|| cursor::encode(&next.to_string()));
    let data = entries.get(told..next.min(entries.len())).unwrap_or_default().to_vec();
    Ok(answer(StatusCode::OK, Page { data, next_cursor }))
}
