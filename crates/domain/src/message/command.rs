use jiff::Timestamp;

use super::{
    MessageError, MessageEvent, MessageImported, MessageQueued, MessageReceived, MessageSentFromPhone,
    MessageStatus, Operation, OperationAsked, ReceiptStep,
};
use crate::{Content, Context, Person, SessionId, context::MENTIONS_MAX};

/// What can be asked of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageCommand {
    /// Accept it for sending.
    Queue(QueueMessage),
    /// It came in, or the owner's phone sent it.
    Receive(ReceiveMessage),
    /// The phone handed it over with what was said before the session was linked.
    Import {
        /// As if it came in.
        message: ReceiveMessage,
        /// How far it had come.
        status: MessageStatus,
        /// Receivers are told of it.
        told: bool,
    },
    /// WhatsApp acknowledged it.
    RecordServerAck {
        /// When.
        at: Timestamp,
    },
    /// A receipt came.
    RecordReceipt(RecordReceipt),
    /// Its time is over.
    Expire {
        /// When.
        at: Timestamp,
    },
    /// It cannot be sent any more.
    Fail {
        /// Stable, for programs: `session_logged_out`, `rejected_by_whatsapp`, …
        code: String,
        /// For people.
        detail: String,
        /// When.
        at: Timestamp,
    },
    /// Withdraw it, if it was not sent.
    Cancel {
        /// When.
        at: Timestamp,
    },
    /// Have something done to it.
    Ask(OperationAsked),
    /// WhatsApp acknowledged an operation.
    RecordOperationAck {
        /// Which.
        operation_id: String,
        /// When.
        at: Timestamp,
    },
    /// An operation cannot be done.
    FailOperation {
        /// Which.
        operation_id: String,
        /// For programs.
        code: String,
        /// For people.
        detail: String,
        /// When.
        at: Timestamp,
    },
    /// Somebody did something to it, on a phone.
    Observe(ObserveOperation),
}

/// Accept a message for sending.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueMessage {
    /// Who sends.
    pub session_id: SessionId,
    /// The session's own person, where it is linked.
    pub from: Option<Person>,
    /// Who receives: the chat.
    pub to: Person,
    /// The id under which every try is sent, so that the recipient's app ignores a repeated one.
    pub whatsapp_id: String,
    /// 32 random bytes in base64: votes, answers and edits are encrypted with them, so every try carries the same.
    pub message_secret: crate::Secret,
    /// What it carries.
    pub content: Content,
    /// What it says beside that.
    pub context: Context,
    /// Given up at this time when it was not sent before.
    pub expires_at: Timestamp,
    /// What the caller wants to find in every event about it.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// When it was accepted.
    pub at: Timestamp,
}

impl QueueMessage {
    pub(super) fn decide(self) -> Result<Vec<MessageEvent>, MessageError> {
        self.content.check().map_err(MessageError::Content)?;
        if self.context.mentions.len() > MENTIONS_MAX {
            return Err(MessageError::TooLong);
        }
        let Self { session_id, from, to, whatsapp_id, message_secret, content, context, .. } = self;
        let Self { expires_at, metadata, at, .. } = self;
        Ok(vec![
            MessageQueued {
                session_id,
                from,
                to,
                whatsapp_id,
                message_secret,
                content,
                context,
                expires_at,
                metadata,
                at,
            }
            .into(),
        ])
    }
}

/// A message that the network handed to the session.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceiveMessage {
    /// Who got it.
    pub session_id: SessionId,
    /// The conversation.
    pub chat: Person,
    /// Who wrote it: the contact, or the owner.
    pub from: Person,
    /// The session's own person; the group, for a message to a group.
    pub to: Person,
    /// True when the owner wrote it on the phone or on another linked device.
    pub from_me: bool,
    /// WhatsApp's id.
    pub whatsapp_id: String,
    /// What it carries.
    pub content: Content,
    /// What it says beside that.
    pub context: Context,
    /// WhatsApp's time.
    pub at: Timestamp,
}

impl From<ReceiveMessage> for MessageEvent {
    fn from(receive: ReceiveMessage) -> Self {
        let ReceiveMessage { session_id, chat, from, to, from_me, whatsapp_id, content, context, at } =
            receive;
        match from_me {
            true => MessageSentFromPhone { session_id, chat, from, whatsapp_id, content, context, at }.into(),
            false => MessageReceived { session_id, chat, from, to, whatsapp_id, content, context, at }.into(),
        }
    }
}

impl ReceiveMessage {
    pub(super) fn imported(self, status: MessageStatus, told: bool) -> MessageImported {
        let Self { session_id, chat, from, to, from_me, whatsapp_id, content, context, at } = self;
        MessageImported {
            session_id,
            chat,
            from,
            to,
            from_me,
            whatsapp_id,
            content,
            context,
            status,
            told,
            at,
        }
    }
}

/// A receipt for a message.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordReceipt {
    /// Which step it reports.
    pub step: ReceiptStep,
    /// Who made the step.
    pub recipient: Person,
    /// When, by WhatsApp's time.
    pub at: Timestamp,
}

/// What somebody did to a message on a phone.
#[derive(Debug, Clone, PartialEq)]
pub struct ObserveOperation {
    /// What.
    pub operation: Operation,
    /// Who.
    pub by: Person,
    /// The session's owner did.
    pub by_me: bool,
    /// In which conversation.
    pub chat: Person,
    /// As an administrator of the group, who may take back what others wrote.
    pub as_admin: bool,
    /// When, by WhatsApp's time.
    pub at: Timestamp,
}

impl MessageEvent {
    /// The event that accepts this message, or why it is refused.
    pub fn from_queue(queue: QueueMessage) -> Result<Self, MessageError> {
        queue.decide().and_then(|events| events.into_iter().next().ok_or(MessageError::NotFound))
    }
}
