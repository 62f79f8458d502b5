//! What is done to a message after it was sent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MessageDeleted, MessageEdited, MessageEvent, MessageReacted};
use crate::{Person, SessionId, Text, content::TEXT_CHARS_MAX};

/// Longest reaction, in bytes: the longest emoji sequences have about 60.
pub const EMOJI_BYTES_MAX: usize = 128;
/// Most operations of one message that WhatsApp has not acknowledged.
pub const PENDING_MAX: usize = 32;

/// What is done to a message after it was sent. A new one is a new variant; its stored name never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Operation {
    /// Another text. WhatsApp's apps take it for some 15 minutes after the message.
    Edit {
        /// 1 to 65,536 characters.
        text: Text,
    },
    /// Taken back, for everyone.
    Delete,
    /// A reaction of one person, in place of the one before.
    React {
        /// An emoji; empty to take it back.
        emoji: String,
    },
}

impl Operation {
    /// The name of the operation in the API and in logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Edit { .. } => "edit",
            Self::Delete => "delete",
            Self::React { .. } => "reaction",
        }
    }

    /// Whether it is within the limits.
    pub fn fits(&self) -> bool {
        match self {
            Self::Edit { text } => (1..=TEXT_CHARS_MAX).contains(&text.0.chars().count()),
            Self::Delete => true,
            Self::React { emoji } => emoji.len() <= EMOJI_BYTES_MAX,
        }
    }

    /// What it changes. `operation_id` is known where it was asked for here.
    pub(super) fn done(
        self,
        (session_id, whatsapp_id): (SessionId, String),
        operation_id: Option<String>,
        by: Person,
        at: Timestamp,
    ) -> MessageEvent {
        match self {
            Self::Edit { text } => {
                MessageEdited { session_id, whatsapp_id, operation_id, text, by, at }.into()
            },
            Self::Delete => MessageDeleted { session_id, whatsapp_id, operation_id, by, at }.into(),
            Self::React { emoji } => {
                MessageReacted { session_id, whatsapp_id, operation_id, from: by, emoji, at }.into()
            },
        }
    }
}
