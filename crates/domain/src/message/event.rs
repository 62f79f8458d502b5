use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MessageStatus, Operation, ReceiptStep};
use crate::{Content, Context, Person, Secret, SessionId, Text};

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
        /// It was withdrawn before it was sent.
        Canceled(MessageCanceled) = "message.canceled" v "1",
        /// Something is to be done to it: accepted for sending.
        OperationAsked(OperationAsked) = "message.operation_asked" v "1",
        /// What was to be done to it cannot be done.
        OperationFailed(OperationFailed) = "message.operation_failed" v "1",
        /// Its sender wrote another text.
        Edited(MessageEdited) = "message.edited" v "1",
        /// It was taken back, for everyone.
        Deleted(MessageDeleted) = "message.deleted" v "1",
        /// Somebody reacted to it, or took a reaction back.
        Reacted(MessageReacted) = "message.reacted" v "1",
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
    /// What it says beside that.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
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
    /// What it says beside that.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
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
    /// What it says beside that.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
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
    /// What it says beside that.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
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

/// See [`MessageEvent::Canceled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageCanceled {
    /// Who should have sent.
    pub session_id: SessionId,
    /// WhatsApp's id.
    pub whatsapp_id: String,
    /// When.
    pub at: Timestamp,
}

/// See [`MessageEvent::OperationAsked`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperationAsked {
    /// Whose message.
    pub session_id: SessionId,
    /// WhatsApp's id of the message.
    pub whatsapp_id: String,
    /// The id under which every try of the operation is sent.
    pub operation_id: String,
    /// What is to be done.
    pub operation: Operation,
    /// The conversation.
    pub chat: Person,
    /// Who wrote the message, where somebody else did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Person>,
    /// The session's own person.
    pub by: Person,
    /// 32 bytes in base64 that every try carries.
    pub message_secret: Secret,
    /// Given up at this time when it was not sent before.
    pub expires_at: Timestamp,
    /// When it was accepted.
    pub at: Timestamp,
}

/// See [`MessageEvent::OperationFailed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperationFailed {
    /// Whose message.
    pub session_id: SessionId,
    /// WhatsApp's id of the message.
    pub whatsapp_id: String,
    /// Which operation.
    pub operation_id: String,
    /// For programs.
    pub code: String,
    /// For people.
    pub detail: String,
    /// When it was given up.
    pub at: Timestamp,
}

/// See [`MessageEvent::Edited`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageEdited {
    /// Whose message.
    pub session_id: SessionId,
    /// WhatsApp's id of the message.
    pub whatsapp_id: String,
    /// Which operation did it, where it was asked for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// What it says now.
    pub text: Text,
    /// Who wrote it.
    pub by: Person,
    /// When.
    pub at: Timestamp,
}

/// See [`MessageEvent::Deleted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageDeleted {
    /// Whose message.
    pub session_id: SessionId,
    /// WhatsApp's id of the message.
    pub whatsapp_id: String,
    /// Which operation did it, where it was asked for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// Who took it back: its author, or an administrator of the group.
    pub by: Person,
    /// When.
    pub at: Timestamp,
}

/// See [`MessageEvent::Reacted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageReacted {
    /// Whose message.
    pub session_id: SessionId,
    /// WhatsApp's id of the message.
    pub whatsapp_id: String,
    /// Which operation did it, where it was asked for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// Who reacted.
    pub from: Person,
    /// With what; empty when it was taken back.
    pub emoji: String,
    /// When.
    pub at: Timestamp,
}
