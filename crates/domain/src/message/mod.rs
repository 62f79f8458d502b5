//! A message, in or out: one stream each, also for those that the owner's own phone sends.

mod command;
mod error;
mod event;
mod operation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use command::{MessageCommand, ObserveOperation, QueueMessage, ReceiveMessage, RecordReceipt};
pub use error::MessageError;
pub use event::{
    MessageCanceled, MessageDeleted, MessageEdited, MessageEvent, MessageExpired, MessageFailed,
    MessageImported, MessageQueued, MessageReacted, MessageReceived, MessageSent, MessageSentFromPhone,
    OperationAsked, OperationFailed, ReceiptRecorded,
};
use jiff::Timestamp;
pub use operation::{EMOJI_BYTES_MAX, Operation, PENDING_MAX};
use serde::{Deserialize, Serialize};

use crate::{Content, Jid, Person, SessionId, Text};

/// How far a message has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// No such message.
    #[default]
    Unknown,
    /// Accepted; WhatsApp has not acknowledged it yet.
    Queued,
    /// WhatsApp has it. Also the status of a message that came in before anybody read it here.
    Sent,
    /// A device of the recipient has it.
    Delivered,
    /// The recipient read it.
    Read,
    /// The recipient played it (voice notes, view-once media).
    Played,
    /// WhatsApp refused it, or the session was logged out.
    Failed,
    /// Withdrawn before it was sent.
    Canceled,
    /// Its time was over before it could be sent.
    Expired,
}

impl MessageStatus {
    /// Every status that a message can have.
    pub const ALL: &[Self] = &[
        Self::Queued,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Played,
        Self::Failed,
        Self::Canceled,
        Self::Expired,
    ];

    /// The name as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }

    /// How far along the way a status is: the furthest step is shown, and what WhatsApp says later overrides an earlier
    /// doubt (`failed`, `canceled`, `expired`).
    fn progress(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Queued => 1,
            Self::Failed | Self::Canceled | Self::Expired => 2,
            Self::Sent => 3,
            Self::Delivered => 4,
            Self::Read => 5,
            Self::Played => 6,
        }
    }

    /// The status after `next` became known.
    pub fn advanced(self, next: Self) -> Self {
        match next.progress() > self.progress() {
            true => next,
            false => self,
        }
    }
}

/// A step that a receipt reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptStep {
    /// A device of the recipient has it.
    Delivered,
    /// The recipient read it.
    Read,
    /// The recipient played it.
    Played,
}

impl ReceiptStep {
    /// The message status that the step means.
    pub fn status(self) -> MessageStatus {
        match self {
            Self::Delivered => MessageStatus::Delivered,
            Self::Read => MessageStatus::Read,
            Self::Played => MessageStatus::Played,
        }
    }
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From a contact.
    In,
    /// From the session's account, by the API or by the owner's phone.
    #[default]
    Out,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A request to the API.
    #[default]
    Api,
    /// The owner on the phone, or another linked device.
    Phone,
    /// Somebody else.
    Contact,
    /// Imported from before the session was linked.
    History,
}

/// State of one message: what decisions need, not what is shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    status: MessageStatus,
    origin: Origin,
    address: Option<(SessionId, String)>,
    steps: BTreeSet<(ReceiptStep, Jid)>,
    /// WhatsApp acknowledged it.
    acknowledged: bool,
    /// When the last step happened.
    last_at: Timestamp,
    /// Who wrote it, where the session's owner did not.
    author: Option<Person>,
    /// Where.
    chat: Option<Person>,
    editable: bool,
    deleted: bool,
    /// The latest text that it was given, and when.
    edited: Option<(Timestamp, Text)>,
    /// How often it was changed.
    changes: u32,
    /// The latest reaction of each person, and when.
    reactions: BTreeMap<Jid, (String, Timestamp)>,
    /// Operations that WhatsApp has not acknowledged, by their ids.
    pending: BTreeMap<String, Pending>,
}

/// An operation that WhatsApp has not acknowledged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pending {
    operation: Operation,
    by: Person,
    asked_at: Timestamp,
}

/// Most changes of one message that are recorded: a stream is read whole.
pub const CHANGES_MAX: u32 = 2_048;

/// Most people whose reactions to one message are kept: the members of the largest group.
pub const REACTIONS_MAX: usize = 1_024;
/// Most receipts that one message keeps: steps times members of the largest group.
pub const RECEIPTS_MAX: usize = 3 * 1_024;

impl Message {
    /// How far it has come.
    pub fn status(&self) -> MessageStatus {
        self.status
    }

    /// Whether an operation waits for WhatsApp's acknowledgement.
    pub fn is_pending(&self, operation_id: &str) -> bool {
        self.pending.contains_key(operation_id)
    }

    /// Which events follow from the command.
    pub fn decide(&self, command: MessageCommand) -> Result<Vec<MessageEvent>, MessageError> {
        use MessageCommand as C;
        match (self.status, command) {
            (MessageStatus::Unknown, C::Queue(queue)) => queue.decide(),
            (_, C::Queue(_)) => Err(MessageError::AlreadyExists),
            (MessageStatus::Unknown, C::Receive(receive)) => Ok(vec![receive.into()]),
            // WhatsApp delivers again what it saw no acknowledgement for.
            (_, C::Receive(_)) => Ok(vec![]),
            (MessageStatus::Unknown, C::Import { message, status, told }) => {
                Ok(vec![message.imported(status, told).into()])
            },
            // The phone hands it over again, or it came in by itself.
            (_, C::Import { .. }) => Ok(vec![]),
            (MessageStatus::Unknown, _) => Err(MessageError::NotFound),
            // Once, also when a receipt was faster: the two come by different ways.
            (_, C::RecordServerAck { .. }) if self.acknowledged => Ok(vec![]),
            (_, C::RecordServerAck { at }) => {
                let at = at.max(self.last_at);
                self.with_address(|session_id, whatsapp_id| {
                    MessageSent { session_id, whatsapp_id, at }.into()
                })
            },
            // Twice, late, out of order: each step of each recipient once.
            (_, C::RecordReceipt(receipt)) if self.knows(&receipt) => Ok(vec![]),
            (_, C::RecordReceipt(receipt)) => {
                let RecordReceipt { step, recipient, at } = receipt;
                // WhatsApp tells whole seconds: a step is never told to be earlier than the one before it.
                let at = at.max(self.last_at);
                self.with_address(|session_id, whatsapp_id| {
                    ReceiptRecorded { session_id, whatsapp_id, step, recipient, at }.into()
                })
            },
            (MessageStatus::Queued, C::Fail { code, detail, at }) => {
                self.with_address(|session_id, whatsapp_id| {
                    MessageFailed { session_id, whatsapp_id, code, detail, at }.into()
                })
            },
            (MessageStatus::Queued, C::Expire { at }) => self.with_address(|session_id, whatsapp_id| {
                MessageExpired { session_id, whatsapp_id, at }.into()
            }),
            // WhatsApp's word stands above a doubt of ours.
            (_, C::Fail { .. } | C::Expire { .. }) => Ok(vec![]),
            (MessageStatus::Queued, C::Cancel { at }) => self.with_address(|session_id, whatsapp_id| {
                MessageCanceled { session_id, whatsapp_id, at }.into()
            }),
            (MessageStatus::Canceled, C::Cancel { .. }) => Ok(vec![]),
            (_, C::Cancel { .. }) => Err(MessageError::AlreadySent),
            (_, C::Ask(asked)) => self.ask(asked),
            (_, C::RecordOperationAck { operation_id, at }) => self.acknowledge(operation_id, at),
            (_, C::FailOperation { operation_id, code, detail, at }) => {
                self.end(operation_id, |(session_id, whatsapp_id), operation_id, _| {
                    OperationFailed { session_id, whatsapp_id, operation_id, code, detail, at }.into()
                })
            },
            (_, C::Observe(observed)) => self.observe(observed),
        }
    }

    /// What is asked has to be something that WhatsApp would do.
    fn ask(&self, asked: OperationAsked) -> Result<Vec<MessageEvent>, MessageError> {
        if !asked.operation.fits() {
            return Err(MessageError::TooLong);
        }
        if self.status.progress() < MessageStatus::Sent.progress() {
            return Err(MessageError::NotSent);
        }
        if self.deleted {
            return Err(MessageError::Deleted);
        }
        let allowed = match &asked.operation {
            Operation::Edit { .. } => self.author.is_none() && self.editable,
            Operation::Delete => self.author.is_none(),
            Operation::React { .. } => true,
        };
        match allowed {
            false => Err(MessageError::NotChangeable),
            true if self.pending.len() >= PENDING_MAX || self.changes >= CHANGES_MAX => {
                Err(MessageError::Busy)
            },
            true => Ok(vec![asked.into()]),
        }
    }

    /// WhatsApp has it. It counts from when it was asked for; one that comes after what was asked for later is over.
    fn acknowledge(&self, operation_id: String, at: Timestamp) -> Result<Vec<MessageEvent>, MessageError> {
        self.end(operation_id, |address, operation_id, Pending { operation, by, asked_at }| {
            let later = match &operation {
                Operation::Edit { .. } => self.edited.as_ref().map(|(at, _)| *at),
                Operation::React { .. } => self.reactions.get(&by.jid).map(|(_, at)| *at),
                Operation::Delete => None,
            };
            match later.is_some_and(|later| later > asked_at) {
                true => {
                    let (session_id, whatsapp_id) = address;
                    let (code, detail) =
                        ("superseded".to_owned(), "A later change was made before it.".to_owned());
                    OperationFailed { session_id, whatsapp_id, operation_id, code, detail, at }.into()
                },
                false => operation.done(address, Some(operation_id), by, asked_at),
            }
        })
    }

    /// An operation ends once.
    fn end(
        &self,
        operation_id: String,
        event: impl FnOnce((SessionId, String), String, Pending) -> MessageEvent,
    ) -> Result<Vec<MessageEvent>, MessageError> {
        let Some(pending) = self.pending.get(&operation_id).cloned() else { return Ok(vec![]) };
        self.with_address(|session_id, whatsapp_id| event((session_id, whatsapp_id), operation_id, pending))
    }

    /// What somebody does on a phone is a fact, unless WhatsApp's apps would ignore it, or it is known. WhatsApp tells whole
    /// seconds.
    fn observe(&self, observed: ObserveOperation) -> Result<Vec<MessageEvent>, MessageError> {
        let ObserveOperation { operation, by, by_me, chat, as_admin, at } = observed;
        let here = self.chat.as_ref().is_some_and(|known| known.is(&chat));
        if !here || self.changes >= CHANGES_MAX {
            return Ok(vec![]);
        }
        let by_author = match &self.author {
            None => by_me,
            Some(author) => author.is(&by),
        };
        let since = |last: &Timestamp| last.as_second() <= at.as_second();
        let counts = match &operation {
            Operation::Edit { text } => {
                let is_news = self.edited.as_ref().is_none_or(|(last, known)| since(last) && known != text);
                by_author && self.editable && !self.deleted && is_news
            },
            Operation::Delete => !self.deleted && (by_author || (as_admin && !chat.jid.is_person())),
            Operation::React { emoji } => match self.reactions.get(&by.jid) {
                Some((known, last)) => since(last) && known != emoji,
                None => !emoji.is_empty() && self.reactions.len() < REACTIONS_MAX,
            },
        };
        match counts && operation.fits() {
            true => self.with_address(|session_id, whatsapp_id| {
                operation.done((session_id, whatsapp_id), None, by, at)
            }),
            false => Ok(vec![]),
        }
    }

    fn knows(&self, receipt: &RecordReceipt) -> bool {
        self.steps.len() >= RECEIPTS_MAX
            || self.steps.contains(&(receipt.step, receipt.recipient.jid.clone()))
    }

    fn with_address(
        &self,
        event: impl FnOnce(SessionId, String) -> MessageEvent,
    ) -> Result<Vec<MessageEvent>, MessageError> {
        let (session_id, whatsapp_id) = self.address.clone().ok_or(MessageError::NotFound)?;
        Ok(vec![event(session_id, whatsapp_id)])
    }

    fn apply_event(&mut self, event: MessageEvent) {
        match event {
            MessageEvent::Queued(queued) => {
                self.is_about(&queued.to, &queued.content);
                self.begin(MessageStatus::Queued, Origin::Api, queued.session_id, queued.whatsapp_id)
            },
            MessageEvent::Received(received) => {
                self.is_about(&received.chat, &received.content);
                self.author = Some(received.from);
                self.begin(
                    MessageStatus::Delivered,
                    Origin::Contact,
                    received.session_id,
                    received.whatsapp_id,
                );
            },
            MessageEvent::SentFromPhone(sent) => {
                self.is_about(&sent.chat, &sent.content);
                self.begin(MessageStatus::Sent, Origin::Phone, sent.session_id, sent.whatsapp_id);
            },
            MessageEvent::Imported(imported) => {
                self.is_about(&imported.chat, &imported.content);
                self.author = (!imported.from_me).then_some(imported.from);
                self.begin(imported.status, Origin::History, imported.session_id, imported.whatsapp_id);
            },
            MessageEvent::Sent(sent) => {
                self.acknowledged = true;
                self.status = self.status.advanced(MessageStatus::Sent);
                self.last_at = self.last_at.max(sent.at);
            },
            MessageEvent::ReceiptRecorded(receipt) => {
                self.status = self.status.advanced(receipt.step.status());
                self.last_at = self.last_at.max(receipt.at);
                self.steps.insert((receipt.step, receipt.recipient.jid));
            },
            MessageEvent::Failed(_) => self.status = self.status.advanced(MessageStatus::Failed),
            MessageEvent::Expired(_) => self.status = self.status.advanced(MessageStatus::Expired),
            MessageEvent::Canceled(_) => self.status = self.status.advanced(MessageStatus::Canceled),
            MessageEvent::OperationAsked(asked) => {
                let (operation, by, asked_at) = (asked.operation, asked.by, asked.at);
                self.pending.insert(asked.operation_id, Pending { operation, by, asked_at });
            },
            MessageEvent::OperationFailed(failed) => drop(self.pending.remove(&failed.operation_id)),
            MessageEvent::Edited(edited) => {
                self.edited = Some((edited.at, edited.text));
                self.settle(edited.operation_id);
            },
            MessageEvent::Deleted(_) => {
                self.deleted = true;
                self.pending.clear();
            },
            MessageEvent::Reacted(reacted) => {
                self.reactions.insert(reacted.from.jid, (reacted.emoji, reacted.at));
                self.settle(reacted.operation_id);
            },
        }
    }

    fn settle(&mut self, operation_id: Option<String>) {
        self.changes += 1;
        if let Some(id) = operation_id {
            self.pending.remove(&id);
        }
    }

    fn is_about(&mut self, chat: &Person, content: &Content) {
        self.chat = Some(chat.clone());
        self.editable = content.is_editable();
    }

    fn begin(&mut self, status: MessageStatus, origin: Origin, session_id: SessionId, whatsapp_id: String) {
        self.status = status;
        self.origin = origin;
        self.address = Some((session_id, whatsapp_id));
    }
}

aggregate!(Message, "message", MessageCommand, MessageEvent, MessageError);
