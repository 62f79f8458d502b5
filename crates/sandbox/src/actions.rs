//! What a phone does beside plain texts: it answers a message, reacts to it, edits its own, deletes its own.

use buffa::{Message as _, MessageField};
use serde::{Deserialize, Serialize};
use waproto::whatsapp as wa;
use waproto::whatsapp::message::protocol_message::Type;

use crate::error::{Failure, Refusal};
use crate::outgoing::Route;
use crate::store::Query;
use crate::turn::Turn;
use crate::{content, limits};

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

impl Content {
    /// Its kind, as in the inbox of the other side.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Reaction { .. } => "reaction",
            Self::Edit { .. } => "edit",
            Self::Delete { .. } => "delete",
        }
    }

    /// Its text; empty for a deletion.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text { text, .. } | Self::Reaction { text, .. } | Self::Edit { text, .. } => text,
            Self::Delete { .. } => "",
        }
    }

    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let characters = self.text().chars().count();
        let (least, most) = match self {
            Self::Text { .. } | Self::Edit { .. } => (1, limits::TEXT_CHARS),
            Self::Reaction { .. } | Self::Delete { .. } => (0, limits::REACTION_CHARS),
        };
        if (least..=most).contains(&characters) {
            return Ok(());
        }
        Err(Refusal::field("/text", format!("{least} to {most} characters")))
    }
}

/// The message that carries it into a group.
pub(crate) fn for_group(content: &Content) -> Result<wa::Message, Failure> {
    match content {
        Content::Text { text, target: None } => Ok(content::text(text)),
        _ => {
            let detail = "into a group a phone sends files, and texts that answer no message";
            Err(Refusal::new(422, "not_supported", detail).at("/type").into())
        },
    }
}

/// The message that carries it to one person.
pub(crate) fn compose(turn: &Turn<'_>, route: Route<'_>, content: &Content) -> Result<wa::Message, Failure> {
    match content {
        Content::Text { text, target: None } => Ok(content::text(text)),
        Content::Text { text, target: Some(target) } => {
            let found = find(turn, route, target)?;
            let context = wa::ContextInfo {
                stanza_id: Some(target.clone()),
                participant: Some(found.author(route).to_string()),
                quoted_message: MessageField::some(found.message),
                ..Default::default()
            };
            let text = wa::message::ExtendedTextMessage {
                text: Some(text.clone()),
                context_info: MessageField::some(context),
                ..Default::default()
            };
            Ok(wa::Message { extended_text_message: MessageField::some(text), ..Default::default() })
        },
        Content::Reaction { text, target } => {
            let key = find(turn, route, target)?.key(route, target);
            let reaction = wa::message::ReactionMessage {
                key: MessageField::some(key),
                text: Some(text.clone()),
                sender_timestamp_ms: Some(turn.now),
                ..Default::default()
            };
            Ok(wa::Message { reaction_message: MessageField::some(reaction), ..Default::default() })
        },
        Content::Edit { text, target } => {
            let edited = wa::Message { conversation: Some(text.clone()), ..Default::default() };
            protocol(turn, route, target, |key| wa::message::ProtocolMessage {
                key: MessageField::some(key),
                r#type: Some(Type::MESSAGE_EDIT),
                edited_message: MessageField::some(edited),
                timestamp_ms: Some(turn.now),
                ..Default::default()
            })
        },
        Content::Delete { target } => protocol(turn, route, target, |key| wa::message::ProtocolMessage {
            key: MessageField::some(key),
            r#type: Some(Type::REVOKE),
            ..Default::default()
        }),
    }
}

/// Only whoever wrote a message may change it.
fn protocol(
    turn: &Turn<'_>,
    route: Route<'_>,
    target: &str,
    make: impl FnOnce(wa::MessageKey) -> wa::message::ProtocolMessage,
) -> Result<wa::Message, Failure> {
    let found = find(turn, route, target)?;
    if !found.own {
        return Err(Refusal::field("/target", "a phone edits and deletes what it sent itself").into());
    }
    let protocol = make(found.key(route, target));
    Ok(wa::Message { protocol_message: MessageField::some(protocol), ..Default::default() })
}

/// A message of the chat, as the phone has it.
struct Found {
    own: bool,
    message: wa::Message,
}

impl Found {
    fn author(&self, route: Route<'_>) -> wacore_binary::Jid {
        if self.own { route.from.jid(route.form) } else { route.to.jid(route.form) }
    }

    /// As the phone names it: the chat is the other person.
    fn key(&self, route: Route<'_>, id: &str) -> wa::MessageKey {
        wa::MessageKey {
            remote_jid: Some(route.to.jid(route.form).to_string()),
            from_me: Some(self.own),
            id: Some(id.to_owned()),
            ..Default::default()
        }
    }
}

fn find(turn: &Turn<'_>, route: Route<'_>, id: &str) -> Result<Found, Failure> {
    let sent = turn.db.one(
        "SELECT content FROM sent WHERE phone = ? AND recipient = ? AND whatsapp_id = ? AND group_chat IS NULL",
        (route.from.id, route.to.id, id),
        |row| row.get::<_, Vec<u8>>(0),
    )?;
    if let Some(content) = sent {
        let message = wa::Message::decode_from_slice(&content).map_err(Failure::protocol)?;
        return Ok(Found { own: true, message });
    }
    let received = turn.db.one(
        "SELECT text FROM inbox WHERE phone = ? AND sender = ? AND whatsapp_id = ? AND group_chat IS NULL",
        (route.from.id, route.to.id, id),
        |row| row.get::<_, Option<String>>(0),
    )?;
    match received {
        Some(text) => {
            let message = wa::Message { conversation: text, ..Default::default() };
            Ok(Found { own: false, message })
        },
        None => {
            Err(Refusal::new(404, "message_not_found", "this chat has no such message").at("/target").into())
        },
    }
}

/// What a message does to an earlier one, as the stanza says it (1: edits it, 7: its author takes it back), as both
/// clients send it.
pub(crate) fn edit_mark(message: &wa::Message) -> Option<&'static str> {
    let edited = message.protocol_message.as_option()?.edited_message.is_set();
    Some(if edited { "1" } else { "7" })
}
