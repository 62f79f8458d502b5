use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MessageStatus, ReceiptStep};
use crate::{Content, Person, Secret, SessionId};

events! {
    /// What happened to a message.
    pub enum MessageEvent {
        /// It was accepted for sending.
        Queued(MessageQueued) = "message.queued" v "1",
        /// It came in.
        Received(MessageReceived) = "message.received" v "1",
        /// The owner sent it on the phone or on another linked device.
        SentFromPhone(MessageSentFromPhone) = "message.sent_from_phone" v "1",
        /// It was said before the session was linked, and the phone handed it over.
        Imported(MessageImported) = "message.imported" v "1",
        /// WhatsApp acknowledged it.
        Sent(MessageSent) = "message.sent" v "1",
        /// A recipient made a step.
        ReceiptRecorded(ReceiptRecorded) = "message.receipt_recorded" v "1",
        /// It cannot be sent any more.
        Failed(MessageFailed) = "message.failed" v "1",
        /// Its time was over before it could be sent.
        Expired(MessageExpired) = "message.expired" v "1",
    }
}

/// See [`MessageEvent::Queued`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageQueued {
    /// Who sends.
    pub session_id: SessionId,
    /// The session's own person, where it was linked by then.
    pub from: Option<Person>,
    /// Who receives: the chat.
    pub to: Person,
    /// The id under which every try is sent.
    pub whatsapp_id: String,
    /// 32 bytes in base64 that every try carries.
    pub message_secret: Secret,
    /// What it carries.
    pub content: Content,
    /// Given up at this time when it was not sent before.
    pub expires_at: Timestamp,
    /// What the caller wants to find in every event about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// When it was accepted.
    pub at: Timestamp,
}

/// See [`MessageEvent::Received`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageReceived {
    /// Who got it.
    pub session_id: SessionId,
    /// The conversation.
    pub chat: Person,
    /// Who wrote it.
    pub from: Person,
    /// The session's own person; the group, for a message to a group.
    pub to: Person,
    /// WhatsApp's id.
    pub whatsapp_id: String,
    /// What it carries.
    pub content: Content,
    /// WhatsApp's time.
    pub at: Timestamp,
}

/// See [`MessageEvent::SentFromPhone`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageSentFromPhone {
    /// Whose phone.
    pub session_id: SessionId,
    /// The conversation.
    pub chat: Person,
    /// The owner.
    pub from: Person,
    /// WhatsApp's id.
    pub whatsapp_id: String,
    /// What it carries.
    pub content: Content,
    /// WhatsApp's time.
    pub at: Timestamp,
}

/// See [`MessageEvent::Imported`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageImported {
    /// Whose phone.
    pub session_id: SessionId,
    /// The conversation.
    pub chat: Person,
    /// Who wrote it.
    pub from: Person,
    /// The session's own person, the group, or the contact that the owner wrote to.
    pub to: Person,
    /// The owner wrote it.
    pub from_me: bool,
    /// WhatsApp's id.
    pub whatsapp_id: String,
    /// What it carries.
    pub content: Content,
    /// How far it had come.
    pub status: MessageStatus,
    /// Receivers are told of it.
    pub told: bool,
    /// WhatsApp's time.
    pub at: Timestamp,
}

/// See [`MessageEvent::Sent`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageSent {
    /// Who sent.
    pub session_id: SessionId,
    /// WhatsApp's id.
    pub whatsapp_id: String,
    /// When the acknowledgement came.
    pub at: Timestamp,
}

/// See [`MessageEvent::ReceiptRecorded`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceiptRecorded {
    /// Whose message.
    pub session_id: SessionId,
    /// WhatsApp's id.
    pub whatsapp_id: String,
    /// Which step.
    pub step: ReceiptStep,
    /// Who made it.
    pub recipient: Person,
    /// When, by WhatsApp's time.
    pub at: Timestamp,
}

/// See [`MessageEvent::Failed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageFailed {
    /// Who should have sent.
    pub session_id: SessionId,
    /// WhatsApp's id.
    pub whatsapp_id: String,
    /// For programs.
    pub code: String,
    /// For people.
    pub detail: String,
    /// When it was given up.
    pub at: Timestamp,
}

/// See [`MessageEvent::Expired`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageExpired {
    /// Who should have sent.
    pub session_id: SessionId,
    /// WhatsApp's id.
    pub whatsapp_id: String,
    /// When it was given up.
    pub at: Timestamp,
}
