//! Requests and answers as they go over the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use waxwing_app::views::{HealthState, LiveSession, MessageView, SessionView, WebhookView};
use waxwing_domain::{
    Person, PhoneNumber, SessionId,
    session::{SessionSettings, SessionStatus},
};

/// A person, group or channel with every address that is known for it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Person)]
pub(crate) struct PersonOut {
    /// The canonical address.
    #[schema(example = "15550001111@s.whatsapp.net")]
    jid: String,
    /// The phone number in E.164, where known.
    #[schema(example = "+15550001111", required)]
    phone: Option<String>,
    /// The hidden user, where known.
    #[schema(example = "900000000000001@lid", required)]
    lid: Option<String>,
    /// The name that the person gave, where known.
    #[schema(example = "Ada", required)]
    name: Option<String>,
}

impl From<&Person> for PersonOut {
    fn from(person: &Person) -> Self {
        Self {
            jid: person.jid.to_string(),
            phone: person.phone.as_ref().map(PhoneNumber::to_string),
            lid: person.lid.as_ref().map(ToString::to_string),
            name: person.name.clone(),
        }
    }
}

/// A session to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateSession)]
pub(crate) struct CreateSessionIn {
    /// Unique in the account.
    #[schema(min_length = 1, max_length = 100, example = "shop")]
    pub(crate) name: String,
    /// The number that is expected to be linked.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "+15550001111")]
    pub(crate) phone_number: Option<PhoneNumber>,
    /// Whether it should run at once.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub(crate) start: bool,
    /// How it behaves.
    #[serde(default)]
    #[schema(value_type = Option<SessionSettingsShape>)]
    pub(crate) settings: Option<SessionSettings>,
}

/// How a session behaves.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionSettings)]
pub(crate) struct SessionSettingsShape {
    /// The name under which the phone lists the linked device.
    #[schema(example = "Shop desk", required = false)]
    device_name: Option<String>,
}

fn yes() -> bool {
    true
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionOut {
    /// Its id.
    #[schema(value_type = String, example = "ses_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    id: SessionId,
    /// Its name.
    #[schema(example = "shop")]
    name: String,
    /// Which WhatsApp.
    #[schema(value_type = String, pattern = "^(sandbox|whatsapp)$", example = "sandbox")]
    network: &'static str,
    /// What it is doing: `stopped`, `connecting`, `pairing`, `passkey_required`, `connected`, `reconnecting`,
    /// `logged_out`, `restricted`, `client_outdated` or `failed`.
    #[schema(value_type = String, example = "connected")]
    status: &'static str,
    /// Why, for programs, where there is a reason.
    #[schema(required)]
    reason: Option<String>,
    /// Whether it really hears WhatsApp.
    health: HealthOut,
    /// The person it is linked to.
    #[schema(required)]
    me: Option<PersonOut>,
    /// How it behaves.
    settings: SessionSettingsShape,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Whether a session really hears WhatsApp.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthOut {
    /// `healthy`, `degraded`, `deaf`, `reconnecting` or `restricted`.
    #[schema(value_type = String, example = "healthy")]
    state: HealthState,
    /// When the last frame came, to the minute while nothing happens.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_frame_at: Option<Timestamp>,
    /// Why it is not healthy.
    #[schema(required)]
    reason: Option<String>,
}

impl SessionOut {
    /// What was recorded, and what the host says right now, where one looks after it.
    pub(crate) fn new(view: SessionView, live: Option<LiveSession>) -> Self {
        let (status, reason) = shown(&view, live.as_ref());
        let health = live.map(|live| live.health).unwrap_or_default();
        Self {
            id: view.id,
            name: view.name,
            network: view.network.as_str(),
            status: status.as_str(),
            reason,
            health: HealthOut {
                state: health.state,
                last_frame_at: health.last_frame_at,
                reason: health.reason,
            },
            me: view.me.as_ref().map(PersonOut::from),
            settings: SessionSettingsShape { device_name: view.settings.device_name },
            created_at: view.created_at,
        }
    }
}

fn shown(view: &SessionView, live: Option<&LiveSession>) -> (SessionStatus, Option<String>) {
    match (view.status, live) {
        // A fact that the live row may not know yet: the host that said otherwise is on its way out.
        (SessionStatus::LoggedOut, _) | (_, None) => (view.status, view.reason.clone()),
        (_, Some(live)) => (live.status, live.reason.clone()),
    }
}

/// A code for the phone to scan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QrCode)]
pub(crate) struct QrOut {
    /// What the picture encodes.
    #[schema(example = "2@k7…,…,…,…")]
    pub(crate) code: String,
    /// From when on the phone no longer accepts it; then there is another.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
}

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
    #[expect(dead_code, reason = "reading it is the check")]
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
        let SendMessageIn { session_id, to, text, link_preview, expires_at, metadata, .. } = message;
        Self { session_id, to, text, link_preview, expires_at, metadata }
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

/// A webhook endpoint to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateWebhook)]
pub(crate) struct CreateWebhookIn {
    /// Where to deliver: http or https, up to 2,048 bytes.
    #[schema(format = "uri", max_length = 2048, example = "https://example.com/waxwing")]
    pub(crate) url: String,
    /// Which event types, or `*` alone.
    #[schema(min_items = 1, example = json!(["message.received", "message.status"]))]
    pub(crate) events: Vec<String>,
    /// Only events of these sessions.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) session_ids: Option<Vec<SessionId>>,
    /// For people; up to 500 characters.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub(crate) description: Option<String>,
}

/// A webhook endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookOut {
    /// Its id.
    #[schema(example = "whk_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    id: String,
    /// Where to deliver.
    url: String,
    /// Which event types.
    events: Vec<String>,
    /// Of which sessions; of all when null.
    #[schema(value_type = Option<Vec<String>>, required)]
    session_ids: Option<Vec<SessionId>>,
    /// For people.
    #[schema(required)]
    description: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The signing secret, when the endpoint was made and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, example = "whsec_…")]
    secret: Option<String>,
}

impl WebhookOut {
    pub(crate) fn new(view: &WebhookView, secret: Option<String>) -> Self {
        Self {
            id: view.id.to_string(),
            url: view.url.clone(),
            events: view.events.clone(),
            session_ids: view.session_ids.clone(),
            description: view.description.clone(),
            created_at: view.created_at,
            secret,
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The entries. A page may be short while there is a cursor.
    pub(crate) data: Vec<T>,
    /// For the next page; null at the end.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

/// A phone to make.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateSandboxPhone)]
pub(crate) struct CreatePhoneIn {
    /// Unique in the account's network.
    #[schema(example = "+15550001111")]
    number: String,
    /// What contacts see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Ada")]
    name: Option<String>,
}

/// A code to scan.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Scan)]
pub(crate) struct ScanIn {
    /// The code of `GET /sessions/{id}/qr`.
    qr: String,
}

/// A message that a phone's owner sends.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SandboxMessage)]
pub(crate) struct SandboxMessageIn {
    /// Who receives it.
    #[schema(example = "+15550001111")]
    to: String,
    /// Its kind.
    #[serde(rename = "type")]
    kind: MessageKind,
    /// The text.
    #[schema(min_length = 1, max_length = 65536, example = "On my way!")]
    text: String,
}
