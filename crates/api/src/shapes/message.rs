use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use waxwing_app::views::MessageView;
use waxwing_domain::SessionId;

use super::{PersonOut, yes};

/// The kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MessageKind {
    /// Plain text.
    Text,
}

/// A message to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SendMessage)]
pub(crate) struct SendMessageIn {
    /// Its kind.
    #[serde(rename = "type")]
    kind: MessageKind,
    /// Who sends.
    #[schema(value_type = String, example = "ses_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    session_id: SessionId,
    /// Who receives: a phone number with country code, or an address.
    #[schema(example = "+15550001111")]
    to: String,
    /// The text.
    #[schema(min_length = 1, max_length = 65536, example = "Your table is ready.")]
    text: String,
    /// Whether a preview of the first link is wanted.
    #[serde(default = "yes")]
    #[schema(default = true)]
    link_preview: bool,
    /// Replies are not available yet: only null.
    #[serde(default)]
    reply_to: Option<String>,
    /// Mentions are not available yet: only an empty list.
    #[serde(default)]
    #[schema(max_items = 0)]
    mentions: Option<Vec<String>>,
    /// Scheduled messages are not available yet: only null.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    send_at: Option<Timestamp>,
    /// Media that is shown once is not available yet: only false.
    #[serde(default)]
    #[schema(default = false)]
    view_once: Option<bool>,
    /// Given up at this time; 24 hours from now when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Echoed in every event about the message; up to 4 KB of JSON.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

/// A text to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SendText)]
pub(crate) struct SendTextIn {
    /// Who sends.
    #[schema(value_type = String, example = "ses_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    pub(crate) session_id: SessionId,
    /// Who receives: a phone number with country code, or an address.
    #[schema(example = "+15550001111")]
    pub(crate) to: String,
    /// The text.
    #[schema(min_length = 1, max_length = 65536, example = "Your table is ready.")]
    pub(crate) text: String,
    /// Whether a preview of the first link is wanted.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub(crate) link_preview: bool,
    /// Replies are not available yet: only null.
    #[serde(default)]
    pub(crate) reply_to: Option<String>,
    /// Mentions are not available yet: only an empty list.
    #[serde(default)]
    #[schema(max_items = 0)]
    pub(crate) mentions: Option<Vec<String>>,
    /// Scheduled messages are not available yet: only null.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) send_at: Option<Timestamp>,
    /// Media that is shown once is not available yet: only false.
    #[serde(default)]
    #[schema(default = false)]
    pub(crate) view_once: Option<bool>,
    /// Given up at this time; 24 hours from now when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) expires_at: Option<Timestamp>,
    /// Echoed in every event about the message; up to 4 KB of JSON.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(crate) metadata: Option<Map<String, Value>>,
}

impl From<SendMessageIn> for SendTextIn {
    fn from(message: SendMessageIn) -> Self {
        let SendMessageIn { kind: MessageKind::Text, session_id, to, text, link_preview, .. } = message;
        let SendMessageIn { reply_to, mentions, send_at, view_once, expires_at, metadata, .. } = message;
        Self {
            session_id,
            to,
            text,
            link_preview,
            reply_to,
            mentions,
            send_at,
            view_once,
            expires_at,
            metadata,
        }
    }
}

impl SendTextIn {
    /// The first field that asks for what cannot be done yet. Their neutral values are fine: clients that fill in every
    /// field send them.
    pub(crate) fn not_yet(&self) -> Option<(&'static str, &'static str)> {
        let fields = [
            (self.reply_to.is_some(), "/reply_to", "replies are not available yet"),
            (self.mentions.iter().flatten().next().is_some(), "/mentions", "mentions are not available yet"),
            (self.send_at.is_some(), "/send_at", "scheduled messages are not available yet"),
            (self.view_once == Some(true), "/view_once", "a text cannot be shown only once"),
        ];
        let asked = fields.into_iter().find(|(asked, ..)| *asked);
        asked.map(|(_, pointer, detail)| (pointer, detail))
    }
}

/// A message that was accepted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AcceptedMessage)]
pub(crate) struct AcceptedMessageOut {
    /// Its id.
    #[schema(example = "msg_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    id: String,
    /// Who sends.
    #[schema(value_type = String, example = "ses_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    session_id: SessionId,
    /// Who receives.
    to: PersonOut,
    /// Its kind.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "text")]
    kind: &'static str,
    /// `queued`.
    #[schema(value_type = String, example = "queued")]
    status: &'static str,
    /// The id under which WhatsApp will know it.
    #[schema(example = "3EB0D1C2B3A49586778899")]
    whatsapp_id: String,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<&MessageView> for AcceptedMessageOut {
    fn from(view: &MessageView) -> Self {
        Self {
            id: view.id.to_string(),
            session_id: view.session_id,
            to: PersonOut::from(&view.to),
            kind: view.content.kind(),
            status: view.status.as_str(),
            whatsapp_id: view.whatsapp_id.clone(),
            created_at: view.created_at,
        }
    }
}

/// A message as read back. Webhooks carry the same.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageOut {
    /// Its id.
    #[schema(example = "msg_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    id: String,
    /// Its session.
    session_id: String,
    /// `in` or `out`.
    direction: String,
    /// Who wrote it: `api`, `phone` (the owner on the phone), `contact` or `history`.
    origin: String,
    /// The conversation.
    chat: PersonOut,
    /// The sender, where known.
    #[schema(required)]
    from: Option<PersonOut>,
    /// The recipient.
    to: PersonOut,
    /// Its kind.
    r#type: String,
    /// The text, for kinds that have one.
    #[schema(required = false)]
    text: Option<String>,
    /// What WhatsApp calls it, for `unsupported`.
    #[schema(required = false)]
    raw_type: Option<String>,
    /// `queued`, `sent`, `delivered`, `read`, `played`, `failed`, `canceled` or `expired`.
    status: String,
    /// WhatsApp's id.
    whatsapp_id: String,
    /// When it was accepted, or WhatsApp's time for one that came in.
    #[schema(format = DateTime)]
    created_at: String,
    /// When WhatsApp had it.
    #[schema(format = DateTime, required)]
    sent_at: Option<String>,
    /// When a recipient's device first had it.
    #[schema(format = DateTime, required)]
    delivered_at: Option<String>,
    /// When a recipient first read it.
    #[schema(format = DateTime, required)]
    read_at: Option<String>,
    /// Why it failed.
    #[schema(required)]
    error: Option<MessageErrorOut>,
    /// When it was last edited.
    #[schema(format = DateTime, required)]
    edited_at: Option<String>,
    /// When it was deleted.
    #[schema(format = DateTime, required)]
    deleted_at: Option<String>,
    /// Reactions to it.
    reactions: Vec<Map<String, Value>>,
    /// What the caller attached.
    #[schema(required)]
    metadata: Option<Map<String, Value>>,
}

/// Why a message failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageError)]
pub(crate) struct MessageErrorOut {
    /// For programs.
    code: String,
    /// For people.
    detail: String,
}

/// One entry of a message's timeline.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
pub(crate) struct TimelineEntryOut {
    /// The event's id, the same as in webhooks.
    #[schema(example = "evt_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    id: String,
    /// The event's type, the same as in webhooks.
    #[schema(example = "message.status")]
    r#type: String,
    /// Which step it was.
    #[schema(example = "delivered")]
    status: String,
    /// When it happened.
    #[schema(format = DateTime)]
    at: String,
    /// When it was recorded here.
    #[schema(format = DateTime)]
    recorded_at: String,
    /// The event's data, the same as in webhooks.
    data: Map<String, Value>,
}
