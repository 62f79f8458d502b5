//! What a message carries.

use serde::{Deserialize, Serialize};

use crate::Text;

/// Longest text, in characters.
pub const TEXT_CHARS_MAX: usize = 65_536;

/// The content of a message, in or out. A new kind is a new variant; its stored name never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Content {
    /// Plain text.
    #[serde(rename = "text")]
    Text {
        /// 1 to 65,536 characters.
        text: Text,
        /// Whether a preview of the first link is wanted.
        #[serde(default = "yes")]
        link_preview: bool,
    },
    /// Something that came in and has no kind of its own here: named, never dropped.
    #[serde(rename = "unsupported")]
    Unsupported {
        /// The name of the field in WhatsApp's own message.
        raw_type: String,
    },
}

fn yes() -> bool {
    true
}

impl Content {
    /// The name of the kind in the API.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Unsupported { .. } => "unsupported",
        }
    }

    /// The text to show, where there is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(&text.0),
            Self::Unsupported { .. } => None,
        }
    }
}
