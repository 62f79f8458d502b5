//! What a message says beside its content.

use serde::{Deserialize, Serialize};

use crate::{MessageId, Person, Text};

/// Most people that one message mentions: the members of the largest group.
pub const MENTIONS_MAX: usize = 1_024;
/// How much of the text of a quoted message is kept, in characters.
pub const QUOTE_CHARS_MAX: usize = 1_024;

/// To what a message answers, whom it mentions, and how it is to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<Quoted>,
    /// Who is mentioned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Person>,
    /// How often it was forwarded; 0 for one that its sender wrote.
    #[serde(skip_serializing_if = "is_zero")]
    pub forwarding_score: u32,
    /// It may be looked at once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub view_once: bool,
    /// It disappears this many seconds after it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disappears_in_s: Option<u32>,
}

impl Context {
    /// True when there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A message that another one answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quoted {
    /// Its id here, where it is known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// WhatsApp's id.
    pub whatsapp_id: String,
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Person>,
    /// Its kind, where it is known.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its text or caption, up to 1,024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
}
