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

    /// True when the text is within the limit.
    pub fn fits(&self) -> bool {
        self.text().is_none_or(|text| text.chars().count() <= TEXT_CHARS_MAX)
    }

    /// The content with a text cut to the limit: what a row of a read model holds. The journal keeps the whole.
    pub fn cut(self) -> Self {
        match self {
            Self::Text { text, link_preview } if text.0.chars().count() > TEXT_CHARS_MAX => {
                Self::Text { text: Text(text.0.chars().take(TEXT_CHARS_MAX).collect()), link_preview }
            },
            other => other,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: String) -> Content {
        Content::Text { text: Text(text), link_preview: true }
    }

    #[test]
    fn a_text_is_cut_to_what_a_row_holds() {
        assert!(text("🦜".repeat(TEXT_CHARS_MAX)).fits());
        let long = text("🦜".repeat(TEXT_CHARS_MAX + 1));
        assert!(!long.fits());
        assert_eq!(long.cut(), text("🦜".repeat(TEXT_CHARS_MAX)));
        assert_eq!(text("short".into()).cut(), text("short".into()));
    }
}
