use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use waxwing_domain::SessionId;

use super::InboxContentOut;

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
    #[schema(min_length = 1, max_length = 100, example = "Ada")]
    name: Option<String>,
}

/// A simulated phone.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SandboxPhone)]
pub(crate) struct PhoneOut {
    /// Its number in E.164.
    #[schema(example = "+15550001111")]
    number: String,
    /// What contacts see.
    #[schema(example = "Ada", required)]
    name: Option<String>,
    /// Its address by number.
    #[schema(example = "15550001111@s.whatsapp.net")]
    jid: String,
    /// Its address that hides the number.
    #[schema(example = "900000000000001@lid")]
    lid: String,
    /// Whether it receives.
    online: bool,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

/// A code to scan.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Scan)]
pub(crate) struct ScanIn {
    /// The code of `GET /sessions/{id}/qr`.
    qr: String,
}

/// A pairing code to enter.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EnterCode)]
pub(crate) struct EnterCodeIn {
    /// The code of `POST /sessions/{id}/pairing-code`.
    code: String,
}

/// Nothing more to say.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct Empty {}

/// A message that a phone's owner sent.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SentSandboxMessage)]
pub(crate) struct SandboxMessageOut {
    /// The id that the phone gave it.
    whatsapp_id: String,
    /// The sender's number.
    from: String,
    /// The recipient's number, or the address of the group.
    to: String,
    /// Its kind.
    r#type: String,
    /// The text or caption; empty where there is none.
    text: String,
    /// When it was sent.
    #[schema(format = DateTime)]
    created_at: String,
}

/// A message as a phone decrypted it.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = InboxEntry)]
pub(crate) struct InboxEntryOut {
    /// The id that its sender gave it.
    whatsapp_id: String,
    /// Number of the person who wrote it.
    from: String,
    /// Number of the other party, or the address of the group.
    chat: String,
    /// Its kind, as in `POST /sandbox/phones/{number}/messages`.
    r#type: String,
    /// The text, for kinds that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    text: Option<String>,
    /// The `whatsapp_id` of the message that it answers, reacts to, edits, deletes, pins or votes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    target: Option<String>,
    /// Its file, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    media: Option<InboxMediaOut>,
    /// What else is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    content: Option<InboxContentOut>,
    /// When the phone had it.
    #[schema(format = DateTime)]
    received_at: String,
    /// How often the network handed it this id.
    copies: u64,
}

/// A file in a phone's inbox.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = InboxMedia)]
pub(crate) struct InboxMediaOut {
    /// As its sender says.
    mime_type: Option<String>,
    /// Of a document.
    filename: Option<String>,
    /// Bytes of the decrypted file.
    size_bytes: u64,
    /// Of the decrypted file, base64.
    sha256: Option<String>,
    /// `ok` (fetched, decrypted, both hashes right), `gone`, or `invalid`.
    state: String,
}

/// What a phone says to a message: `"echo"`, or `{"text": "…"}`.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// The same text.
    Echo,
    /// This text: 1 to 65,536 characters.
    Text(String),
}

/// A change of a phone's behaviour: what is absent stays.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeBehaviour)]
pub(crate) struct BehaviourIn {
    /// An offline phone receives nothing until it is online again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    online: Option<bool>,
    /// Milliseconds until it reads a message, up to a day; null for never.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, maximum = 86_400_000)]
    read_after_ms: Option<Option<i64>>,
    /// What it answers; null for nothing.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Reply>)]
    reply: Option<Option<Reply>>,
    /// Milliseconds for which it types before it answers, up to a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, maximum = 86_400_000)]
    typing_ms: Option<i64>,
}

/// Tells null from absent.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

/// What a phone does by itself.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Behaviour)]
pub(crate) struct BehaviourOut {
    /// An offline phone receives nothing until it is online again.
    online: bool,
    /// Milliseconds until it reads a message; null for never.
    #[schema(required)]
    read_after_ms: Option<u32>,
    /// What it answers; null for nothing.
    #[schema(required)]
    reply: Option<Reply>,
    /// Milliseconds for which it types before it answers.
    typing_ms: u32,
}

/// What the network can do wrong.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// Closes open connections, at once.
    DropConnections,
    /// Refuses new connections, and closes the open ones.
    RefuseConnections,
    /// Says at login that the client is too old.
    ClientOutdated,
    /// Unlinks devices, as their owner can on the phone, at once.
    LogOut,
    /// Closes connections as if another client took their place, at once.
    Replace,
    /// Says at login that it is not available (503).
    ServiceUnavailable,
    /// Refuses logins as restricted for a time.
    Restrict,
    /// Holds messages back, for `delay_ms`.
    Delay,
    /// Delivers a message behind the next one.
    Reorder,
    /// Delivers messages twice.
    Duplicate,
    /// Takes messages and does not acknowledge them.
    LoseAck,
    /// Damages ciphertexts, so that devices must ask for them again.
    Corrupt,
    /// Has lost media.
    MediaGone,
    /// Has used up all one-time keys, at once.
    PreKeysExhausted,
    /// Refuses further messages to people who have not answered `limit` of them (463).
    LimitUnanswered,
    /// A phone that does everything late, by `delay_ms`.
    SlowPhone,
    /// A phone that is never online, until the fault is removed or over.
    NeverOnline,
    /// The phone scans a code and wants a passkey before it links the session, which then says `passkey_required`.
    Passkey,
}

/// A fault to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddFault)]
pub(crate) struct FaultIn {
    /// What goes wrong.
    pub(crate) kind: FaultKind,
    /// Only for this session; for the account's whole network when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "ses_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    pub(crate) session_id: Option<SessionId>,
    /// Only for this phone, in place of `session_id`.
    #[serde(default)]
    #[schema(example = "+15550001111")]
    pub(crate) number: Option<String>,
    /// How many times; once when neither this nor `for_s` is given.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    pub(crate) count: Option<i64>,
    /// For how many seconds, up to a day.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 86_400)]
    pub(crate) for_s: Option<i64>,
    /// With `delay` and `slow_phone`: milliseconds, up to a day; 1,000 when absent.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 86_400_000)]
    pub(crate) delay_ms: Option<i64>,
    /// With `limit_unanswered`: how many messages a person takes who has not answered; none when absent.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    pub(crate) limit: Option<i64>,
}

/// A fault in force.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Fault)]
pub(crate) struct FaultOut {
    /// Its number.
    id: i64,
    /// What goes wrong.
    kind: FaultKind,
    /// The phone that it is for, or whose session; null for the whole network.
    #[schema(required)]
    number: Option<String>,
    /// How many times it will still happen.
    #[schema(required)]
    remaining: Option<u64>,
    /// How many times it has happened.
    struck: u64,
    /// When it ends.
    #[schema(format = DateTime, required)]
    ends_at: Option<String>,
}

/// What the network did with a message between two people.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = LedgerEntry)]
pub(crate) struct LedgerEntryOut {
    /// The id that its sender gave it.
    whatsapp_id: String,
    /// The sender's number.
    from: String,
    /// The recipient's number.
    to: String,
    /// How often the network accepted it.
    accepted: u64,
    /// How many of the recipient's devices reported it as delivered.
    delivered: u64,
    /// How many reported it as read.
    read: u64,
    /// How often the recipient's phone was handed it.
    copies: u64,
}
