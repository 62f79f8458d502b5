//! What receivers are told: the events of api.md, derived from those of the domain.

use jiff::Timestamp;
use serde_json::{Value, json};
use waxwing_domain::{
    AccountId, EventId, MessageId, SessionId,
    call::CallEvent,
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
    !matches!(event, MessageEvent::Imported(imported) if !imported.told)
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
        | MessageEvent::Expired(_) => "message.status",
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
    }
}

/// The `data` of an event of a message. `view` is the message as it was after the event.
pub fn message_event_data(id: MessageId, event: &MessageEvent, view: &MessageView) -> Value {
    let status = |whatsapp_id: &str, status: MessageStatus, at: Timestamp| {
        let mut data = json!({ "message_id": id, "whatsapp_id": whatsapp_id, "status": status, "at": at });
        if let Some(metadata) = &view.metadata {
            data["metadata"] = Value::Object(metadata.clone());
        }
        data
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
    match &view.content {
        waxwing_domain::Content::Text { text, .. } => json["text"] = json!(text),
        waxwing_domain::Content::Unsupported { raw_type } => json["raw_type"] = json!(raw_type),
    }
    json
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
