//! What a phone does beside plain texts, in types: it answers a message, reacts to it, edits its own, deletes its own.
//! All other kinds are [`NewMessage`]s.

use serde::{Deserialize, Serialize};

use crate::kinds::NewMessage;

/// What a phone sends. A `target` is the WhatsApp id of a message of the same chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// A text, perhaps as the answer to a message.
    Text {
        /// 1 to 65,536 characters.
        text: String,
        /// The message that it answers.
        target: Option<String>,
    },
    /// A reaction.
    Reaction {
        /// An emoji; empty to take the reaction back.
        text: String,
        /// The message that it is to.
        target: String,
    },
    /// Another text for a message that the phone sent itself.
    Edit {
        /// 1 to 65,536 characters.
        text: String,
        /// The message.
        target: String,
    },
    /// Takes back, for everyone, a message that the phone sent itself.
    Delete {
        /// The message.
        target: String,
    },
}

impl From<Content> for NewMessage {
    fn from(content: Content) -> Self {
        let (kind, text, target) = match content {
            Content::Text { text, target } => ("text", Some(text), target),
            Content::Reaction { text, target } => ("reaction", Some(text), Some(target)),
            Content::Edit { text, target } => ("edit", Some(text), Some(target)),
            Content::Delete { target } => ("delete", None, Some(target)),
        };
        Self { r#type: kind.to_owned(), text, target, ..Default::default() }
    }
}
