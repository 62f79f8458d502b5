use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use waxwing_app::views::MessageView;
use waxwing_domain::SessionId;

use super::PersonOut;

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
    /// How far it has come: `queued` for one that was just accepted.
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
    /// The fields of its kind, named as in the request that sends it; `raw_type`, what WhatsApp calls it, for `unsupported`.
    #[serde(flatten)]
    content: ContentOut,
    /// The message that it answers, where it is known here.
    #[schema(required)]
    reply_to: Option<String>,
    /// The message that it answers, as it says.
    #[schema(required)]
    quoted: Option<QuotedOut>,
    /// Who is mentioned.
    mentions: Vec<PersonOut>,
    /// It was forwarded.
    forwarded: bool,
    /// It may be looked at once.
    view_once: bool,
    /// It disappears this many seconds after it was sent.
    #[schema(required)]
    disappears_in_s: Option<u32>,
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
    /// The latest reaction of each person.
    reactions: Vec<ReactionOut>,
    /// What the caller attached.
    #[schema(required)]
    metadata: Option<Map<String, Value>>,
}

/// The fields that messages of some kinds have.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageContent)]
pub(crate) struct ContentOut {
    /// The text, of `text`.
    #[schema(required = false)]
    text: Option<String>,
    /// In degrees, of `location`.
    #[schema(required = false)]
    latitude: Option<f64>,
    /// In degrees, of `location`.
    #[schema(required = false)]
    longitude: Option<f64>,
    /// What is there, of `location`; what it is, of `event`.
    #[schema(required = false)]
    name: Option<String>,
    /// Of `location`.
    #[schema(required = false)]
    address: Option<String>,
    /// Somebody shares where they are, of `location`.
    #[schema(required = false)]
    live: Option<bool>,
    /// The cards, of `contact`.
    #[schema(required = false)]
    contacts: Option<Vec<ContactOut>>,
    /// What is asked, of `poll`.
    #[schema(required = false)]
    question: Option<String>,
    /// What can be chosen, of `poll`.
    #[schema(required = false)]
    options: Option<Vec<String>>,
    /// Most options that one person may choose, 0 for any number, of `poll`.
    #[schema(required = false)]
    max_choices: Option<u32>,
    /// Of `event`.
    #[schema(format = DateTime, required = false)]
    starts_at: Option<String>,
    /// Of `event`.
    #[schema(format = DateTime, required = false)]
    ends_at: Option<String>,
    /// Of `event`.
    #[schema(required = false)]
    description: Option<String>,
    /// Where it is, in words, of `event`.
    #[schema(required = false)]
    location: Option<String>,
    /// It was called off, of `event`.
    #[schema(required = false)]
    canceled: Option<bool>,
    /// What WhatsApp calls it, of `unsupported`.
    #[schema(required = false)]
    raw_type: Option<String>,
}

/// A card of an address book.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contact)]
pub(crate) struct ContactOut {
    /// Who it is.
    name: String,
    /// The phone numbers, as they stand in the card.
    phones: Vec<String>,
    /// For whom the person works.
    #[schema(required)]
    organization: Option<String>,
    /// The mail address.
    #[schema(required)]
    email: Option<String>,
    /// The card (RFC 6350).
    vcard: String,
}

/// A message that another one answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuotedMessage)]
pub(crate) struct QuotedOut {
    /// Its id, where it is known here.
    #[schema(required = false)]
    message_id: Option<String>,
    /// WhatsApp's id.
    whatsapp_id: String,
    /// Who wrote it, where known.
    #[schema(required = false)]
    from: Option<PersonOut>,
    /// Its kind, where known.
    #[schema(required = false)]
    r#type: Option<String>,
    /// Its text or caption, up to 1,024 characters.
    #[schema(required = false)]
    text: Option<String>,
}

/// A reaction to a message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reaction)]
pub(crate) struct ReactionOut {
    /// Who reacted.
    from: PersonOut,
    /// With what.
    #[schema(example = "👍")]
    emoji: String,
    /// When.
    #[schema(format = DateTime)]
    at: String,
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
