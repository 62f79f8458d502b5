//! The history that a phone hands over to a device that it links, one conversation at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use wacore::history_sync::{HistorySyncStream, MAX_DECOMPRESSED};
use waproto::whatsapp as wa;
use waproto::whatsapp::web_message_info::Status;
use waxwing_domain::{Content, Context, Person, Timestamp, message::MessageStatus};
use whatsapp_rust::types::events::LazyHistorySync;

use crate::convert;
use crate::handler::Shared;

/// A part of the history, packed as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPart {
    /// What it is for, as WhatsApp numbers it (`HistorySyncType`).
    pub kind: i32,
    /// How far the phone has come with handing over, in percent.
    pub progress: Option<u32>,
    /// The part, compressed.
    pub packed: Bytes,
}

impl HistoryPart {
    pub(crate) fn new(part: &LazyHistorySync) -> Self {
        Self { kind: part.sync_type(), progress: part.progress(), packed: part.compressed_bytes().clone() }
    }
}

/// A message of the history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryMessage {
    /// Its id.
    pub whatsapp_id: String,
    /// The conversation.
    pub chat: Person,
    /// The sender.
    pub from: Person,
    /// The account itself sent it.
    pub from_me: bool,
    /// How far it had come.
    pub status: MessageStatus,
    /// When the server took it, to the second.
    pub at: Timestamp,
    /// What it says.
    pub content: Content,
    /// What it says beside that.
    pub context: Context,
}

/// A part that cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("a part of the history cannot be read: {0}")]
pub struct HistoryError(String);

/// Reads a part.
pub struct History {
    packed: Bytes,
    shared: Arc<Shared>,
}

impl History {
    pub(crate) fn new(packed: Bytes, shared: Arc<Shared>) -> Self {
        Self { packed, shared }
    }

    /// The messages of `count` conversations behind the first `skipped`, oldest message first in each; `None` behind the last.
    /// Blocks while it unpacks: each call unpacks from the beginning, which takes some milliseconds for each megabyte.
    pub fn conversations(
        &self,
        skipped: usize,
        count: usize,
    ) -> Result<Option<Vec<HistoryMessage>>, HistoryError> {
        let failed = |error: &dyn std::error::Error| HistoryError(error.to_string());
        let mut stream = HistorySyncStream::new(&self.packed, MAX_DECOMPRESSED);
        for _ in 0..skipped {
            if stream.next_conversation_bytes().map_err(|error| failed(&error))?.is_none() {
                return Ok(None);
            }
        }
        let (mut messages, mut read) = (VecDeque::new(), 0);
        while read < count {
            let Some(conversation) = stream.next_conversation().map_err(|error| failed(&error))? else {
                break;
            };
            read += 1;
            // The phone writes the newest first.
            let at = messages.len();
            let Some(chat) = self.chat(&conversation) else { continue };
            for message in conversation.messages {
                let message = message.message.as_option().and_then(|info| self.message(&chat, info));
                if let Some(message) = message {
                    messages.insert(at, message);
                }
            }
        }
        Ok((read > 0).then(|| messages.into()))
    }

    /// Whose conversation it is: it names both addresses, where the phone knows them.
    fn chat(&self, conversation: &wa::Conversation) -> Option<Person> {
        let (id, state) = (conversation.id.parse().ok()?, self.shared.state());
        let others = [&conversation.pn_jid, &conversation.lid_jid].into_iter().flatten();
        let mut others = others.filter(|other| **other != conversation.id).map(|other| other.parse().ok());
        convert::person(&id, others.next().flatten().as_ref(), state)
    }

    fn message(&self, chat: &Person, info: &wa::WebMessageInfo) -> Option<HistoryMessage> {
        let (state, key) = (self.shared.state(), info.key.as_option()?);
        let proto = info.message.as_option()?;
        let content = convert::content_of(proto)?;
        let from_me = key.from_me.unwrap_or(false);
        let from = match (from_me, info.participant.as_ref().or(key.participant.as_ref())) {
            (true, _) => self.shared.me()?,
            (false, Some(participant)) => convert::person(&participant.parse().ok()?, None, state)?,
            (false, None) => chat.clone(),
        };
        Some(HistoryMessage {
            whatsapp_id: key.id.clone()?,
            from: from.named(info.push_name.clone().filter(|name| !name.is_empty() && !from_me)),
            chat: chat.clone(),
            from_me,
            status: status(info.status, from_me),
            at: Timestamp::from_second(i64::try_from(info.message_timestamp?).ok()?).ok()?,
            content,
            context: convert::context_of(proto, state),
        })
    }
}

fn status(status: Option<Status>, from_me: bool) -> MessageStatus {
    match status {
        Some(Status::PLAYED) => MessageStatus::Played,
        Some(Status::READ) => MessageStatus::Read,
        Some(Status::DELIVERY_ACK) => MessageStatus::Delivered,
        // What came in is here; what went out is at least with the server.
        _ if from_me => MessageStatus::Sent,
        _ => MessageStatus::Delivered,
    }
}
