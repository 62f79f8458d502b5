//! What receivers are told: the events of api.md, derived from those of the domain.

use jiff::Timestamp;
use serde_json::{Value, json};
use waxwing_domain::{
    AccountId, Content, Context, EventId, MessageId, SessionId,
    call::CallEvent,
    content::{CalendarEvent, ContactCard, Location, Poll},
    message::{MessageEvent, MessageStatus},
    session::{SessionEvent, SessionStatus},
};

use crate::{ports::StreamName, views::MessageView};

/// The id of an event: it stays the same on every retry and replay.
pub fn event_id(
    at: Timestamp,
    account: AccountId,
    stream: &StreamName,
    version: u64,
    index: usize,
) -> EventId {
    let unix_ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
    let (account, version, index) = (account.to_string(), version.to_string(), index.to_string());
    EventId::derived(
        unix_ms,
        &[account.as_bytes(), stream.0.as_bytes(), version.as_bytes(), index.as_bytes()],
    )
}

/// The id of the part of an event that is told apart: the first part has the event's own id.
pub fn event_part_id(
    at: Timestamp,
    account: AccountId,
    stream: &StreamName,
    version: u64,
    index: usize,
    part: usize,
) -> EventId {
    let own = event_id(at, account, stream, version, index);
    match part {
        0 => own,
        _ => EventId::derived(own.unix_ms(), &[own.to_string().as_bytes(), part.to_string().as_bytes()]),
    }
}

/// False for an event that receivers are not told of.
pub fn is_message_event_told(event: &MessageEvent) -> bool {
    match event {
        MessageEvent::Imported(imported) => imported.told,
        // Of what becomes of it they are told.
        MessageEvent::OperationAsked(_) | MessageEvent::OperationFailed(_) => false,
        _ => true,
    }
}

/// The type under which receivers know an event of a message.
pub fn message_event_type(event: &MessageEvent) -> &'static str {
    match event {
        MessageEvent::Imported(imported) if imported.from_me => "message.sent_from_phone",
        MessageEvent::Imported(_) => "message.received",
        MessageEvent::Received(_) => "message.received",
        MessageEvent::SentFromPhone(_) => "message.sent_from_phone",
        MessageEvent::Queued(_)
        | MessageEvent::Sent(_)
        | MessageEvent::ReceiptRecorded(_)
        | MessageEvent::Failed(_)
        | MessageEvent::Expired(_)
        | MessageEvent::Canceled(_) => "message.status",
        MessageEvent::OperationAsked(_) | MessageEvent::OperationFailed(_) => "message.operation",
        MessageEvent::Edited(_) => "message.edited",
        MessageEvent::Deleted(_) => "message.deleted",
        MessageEvent::Reacted(_) => "message.reaction",
    }
}

/// The session that an event of a message belongs to.
pub fn message_event_session(event: &MessageEvent) -> SessionId {
    match event {
        MessageEvent::Queued(data) => data.session_id,
        MessageEvent::Received(data) => data.session_id,
        MessageEvent::SentFromPhone(data) => data.session_id,
        MessageEvent::Imported(data) => data.session_id,
        MessageEvent::Sent(data) => data.session_id,
        MessageEvent::ReceiptRecorded(data) => data.session_id,
        MessageEvent::Failed(data) => data.session_id,
        MessageEvent::Expired(data) => data.session_id,
        MessageEvent::Canceled(data) => data.session_id,
        MessageEvent::OperationAsked(data) => data.session_id,
        MessageEvent::OperationFailed(data) => data.session_id,
        MessageEvent::Edited(data) => data.session_id,
        MessageEvent::Deleted(data) => data.session_id,
        MessageEvent::Reacted(data) => data.session_id,
    }
}

/// The `data` of an event of a message. `view` is the message as it was after the event.
pub fn message_event_data(id: MessageId, event: &MessageEvent, view: &MessageView) -> Value {
    let about = |mut data: Value, whatsapp_id: &str, at: Timestamp| {
        data["message_id"] = json!(id);
        data["whatsapp_id"] = json!(whatsapp_id);
        data["at"] = json!(at);
        if let Some(metadata) = &view.metadata {
            data["metadata"] = Value::Object(metadata.clone());
        }
        data
    };
    let status = |whatsapp_id: &str, status: MessageStatus, at: Timestamp| {
        about(json!({ "status": status }), whatsapp_id, at)
    };
    let done = |data: Value, whatsapp_id: &str, at: Timestamp| {
        let mut told = about(data, whatsapp_id, at);
        told["chat"] = json!(view.chat);
        told
    };
    match event {
        MessageEvent::Received(_) | MessageEvent::SentFromPhone(_) | MessageEvent::Imported(_) => {
            message_json(view)
        },
        MessageEvent::Queued(data) => status(&data.whatsapp_id, MessageStatus::Queued, data.at),
        MessageEvent::Sent(data) => status(&data.whatsapp_id, MessageStatus::Sent, data.at),
        MessageEvent::ReceiptRecorded(data) => {
            let mut told = status(&data.whatsapp_id, data.step.status(), data.at);
            told["recipient"] = json!(data.recipient);
            told
        },
        MessageEvent::Expired(data) => status(&data.whatsapp_id, MessageStatus::Expired, data.at),
        MessageEvent::Canceled(data) => status(&data.whatsapp_id, MessageStatus::Canceled, data.at),
        MessageEvent::OperationAsked(data) => {
            let told = json!({ "operation": data.operation.kind(), "operation_id": data.operation_id });
            done(told, &data.whatsapp_id, data.at)
        },
        MessageEvent::OperationFailed(data) => {
            let error = json!({ "code": data.code, "detail": data.detail });
            done(json!({ "operation_id": data.operation_id, "error": error }), &data.whatsapp_id, data.at)
        },
        MessageEvent::Edited(data) => {
            done(json!({ "text": data.text, "by": data.by }), &data.whatsapp_id, data.at)
        },
        MessageEvent::Deleted(data) => done(json!({ "by": data.by }), &data.whatsapp_id, data.at),
        MessageEvent::Reacted(data) => {
            done(json!({ "from": data.from, "emoji": data.emoji }), &data.whatsapp_id, data.at)
        },
        MessageEvent::Failed(data) => {
            let mut told = status(&data.whatsapp_id, MessageStatus::Failed, data.at);
            told["error"] = json!({ "code": data.code, "detail": data.detail });
            told
        },
    }
}

/// A message as read back, in the shape that the API and the webhooks share.
pub fn message_json(view: &MessageView) -> Value {
    let mut json = json!({
        "id": view.id,
        "session_id": view.session_id,
        "direction": view.direction,
        "origin": view.origin,
        "chat": view.chat,
        "from": view.from,
        "to": view.to,
        "type": view.content.kind(),
        "status": view.status,
        "whatsapp_id": view.whatsapp_id,
        "created_at": view.created_at,
        "sent_at": view.sent_at,
        "delivered_at": view.delivered_at,
        "read_at": view.read_at,
        "error": view.error,
        "edited_at": view.edited_at,
        "deleted_at": view.deleted_at,
        "reactions": view.reactions,
        "metadata": view.metadata,
    });
    fill(&mut json, content_fields(&view.content));
    let Context { quoted, mentions, forwarding_score, view_once, disappears_in_s } = &view.context;
    let context = json!({
        "reply_to": quoted.as_ref().and_then(|quoted| quoted.message_id),
        "quoted": quoted,
        "mentions": mentions,
        "forwarded": *forwarding_score > 0,
        "view_once": view_once,
        "disappears_in_s": disappears_in_s,
    });
    fill(&mut json, context);
    json
}

/// The fields of a kind, named as in the request that sends it.
fn content_fields(content: &Content) -> Value {
    match content {
        Content::Text { text, .. } => json!({ "text": text }),
        Content::Location(Location { latitude, longitude, name, address, live }) => json!({
            "latitude": latitude,
            "longitude": longitude,
            "name": name,
            "address": address,
            "live": live,
        }),
        Content::Contact { contacts } => {
            let contacts = contacts.iter().map(|ContactCard { name, phones, organization, email, vcard }| {
                json!({
                    "name": name,
                    "phones": phones,
                    "organization": organization,
                    "email": email,
                    "vcard": vcard,
                })
            });
            json!({ "contacts": contacts.collect::<Vec<_>>() })
        },
        Content::Poll(Poll { question, options, max_choices }) => {
            json!({ "question": question, "options": options, "max_choices": max_choices })
        },
        Content::Event(event) => {
            let CalendarEvent { name, starts_at, ends_at, description, location, canceled } = event;
            json!({
                "name": name,
                "starts_at": starts_at,
                "ends_at": ends_at,
                "description": description,
                "location": location,
                "canceled": canceled,
            })
        },
        Content::Unsupported { raw_type } => json!({ "raw_type": raw_type }),
    }
}

fn fill(object: &mut Value, fields: Value) {
    if let (Value::Object(object), Value::Object(fields)) = (object, fields) {
        object.extend(fields);
    }
}

/// The type under which receivers know an event of a call.
pub const CALL_RECEIVED: &str = "call.received";

/// The `data` of an event of a call.
pub fn call_event_data(CallEvent::Received(call): &CallEvent) -> Value {
    json!({
        "call_id": call.call_id,
        "from": call.from,
        "group": call.group,
        "video": call.video,
        "rejected": call.rejected,
        "missed": call.missed,
        "at": call.at,
    })
}

/// What receivers are told about a session: the type and the `data`. The first has the event's own id; a second is told
/// under an id of its own.
pub fn session_event_data(event: &SessionEvent) -> Vec<(&'static str, Value)> {
    let SessionEvent::StatusChanged(changed) = event else { return Vec::new() };
    let mut data = json!({ "status": changed.status, "reason": changed.reason, "at": changed.at });
    if changed.status == SessionStatus::Restricted {
        data["until"] = json!(changed.until);
    }
    let named = match changed.status {
        SessionStatus::Connected => Some("session.connected"),
        SessionStatus::Restricted => Some("session.restricted"),
        SessionStatus::Reconnecting
        | SessionStatus::Stopped
        | SessionStatus::LoggedOut
        | SessionStatus::ClientOutdated
        | SessionStatus::Failed => Some("session.disconnected"),
        SessionStatus::Connecting | SessionStatus::Pairing | SessionStatus::PasskeyRequired => None,
    };
    [Some("session.status"), named].into_iter().flatten().map(|name| (name, data.clone())).collect()
}
