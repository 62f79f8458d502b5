//! What a message carries.

mod contact;
mod place;
mod poll;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use contact::{CONTACTS_MAX, ContactCard, PHONES_MAX, VCARD_BYTES_MAX};
pub use place::{Degrees, Location};
pub use poll::{POLL_OPTIONS, Poll};

use crate::Text;

/// Longest text, in characters.
pub const TEXT_CHARS_MAX: usize = 65_536;
/// Largest content but a text, as JSON, in bytes: a message fits into one item of DynamoDB.
pub const CONTENT_BYTES_MAX: usize = 128 * 1_024;
/// Longest name, title, address, question or option, in characters. WhatsApp's own apps take less of most.
pub const LINE_CHARS_MAX: usize = 1_024;

/// The content of a message, in or out. A new kind is a new variant; its stored name never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// Plain text.
    Text {
        /// 1 to 65,536 characters.
        text: Text,
        /// Whether a preview of the first link is wanted.
        #[serde(default = "yes")]
        link_preview: bool,
    },
    /// A place, or the beginning of a live location.
    Location(Location),
    /// People, as cards of an address book.
    Contact {
        /// 1 to [`CONTACTS_MAX`].
        contacts: Vec<ContactCard>,
    },
    /// A question with options to choose from.
    Poll(Poll),
    /// An invitation to something that happens at a time.
    Event(CalendarEvent),
    /// Something that came in and has no kind of its own here: named, never dropped.
    Unsupported {
        /// The name of the field in WhatsApp's own message.
        raw_type: String,
    },
}

/// See [`Content::Event`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarEvent {
    /// What it is.
    pub name: Text,
    /// When it begins, to the second.
    pub starts_at: Timestamp,
    /// When it ends, to the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// Where it is, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Text>,
    /// It was called off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub canceled: bool,
}

/// Why content cannot be sent: the field, as a JSON pointer into the request, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidContent {
    /// Such as `/options/1`.
    pub field: String,
    /// For people.
    pub expected: String,
}

/// The refusal of a field.
pub(crate) fn invalid<T>(field: impl Into<String>, expected: impl Into<String>) -> Result<T, InvalidContent> {
    Err(InvalidContent { field: field.into(), expected: expected.into() })
}

fn yes() -> bool {
    true
}

/// True for 1 to `max` characters that are not all white space.
fn is_line(text: &Text, max: usize) -> bool {
    !text.0.trim().is_empty() && text.0.chars().count() <= max
}

fn check_line(field: &str, text: &Text) -> Result<(), InvalidContent> {
    match is_line(text, LINE_CHARS_MAX) {
        true => Ok(()),
        false => invalid(field, format!("expected 1 to {LINE_CHARS_MAX} characters")),
    }
}

fn check_lines<'a>(
    fields: impl IntoIterator<Item = (&'a str, Option<&'a Text>)>,
) -> Result<(), InvalidContent> {
    let given = fields.into_iter().filter_map(|(field, text)| Some((field, text?)));
    given.into_iter().try_for_each(|(field, text)| check_line(field, text))
}

fn cut(text: Text, max: usize) -> Text {
    match text.0.char_indices().nth(max) {
        Some((end, _)) => Text(text.0[..end].to_owned()),
        None => text,
    }
}

impl CalendarEvent {
    fn check(&self) -> Result<(), InvalidContent> {
        check_lines([("/name", Some(&self.name)), ("/location", self.location.as_ref())])?;
        if self.description.as_ref().is_some_and(|text| !is_line(text, TEXT_CHARS_MAX)) {
            return invalid("/description", "expected 1 to 65,536 characters");
        }
        match self.ends_at.is_some_and(|end| end < self.starts_at) {
            true => invalid("/ends_at", "expected a time that is not before starts_at"),
            false => Ok(()),
        }
    }
}

impl Content {
    /// The name of the kind in the API.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Location(_) => "location",
            Self::Contact { .. } => "contact",
            Self::Poll(_) => "poll",
            Self::Event(_) => "event",
            Self::Unsupported { .. } => "unsupported",
        }
    }

    /// True when it has more than can be kept. A text is cut where it has to be.
    pub fn is_too_large(&self) -> bool {
        let size = || serde_json::to_vec(self).map_or(usize::MAX, |json| json.len());
        !matches!(self, Self::Text { .. }) && size() > CONTENT_BYTES_MAX
    }

    /// Whether it can be sent.
    pub fn check(&self) -> Result<(), InvalidContent> {
        if self.is_too_large() {
            return invalid("", "expected content of at most 128 KiB");
        }
        match self {
            Self::Text { text, .. } => match text.0.chars().count() {
                0 => invalid("/text", "the text is empty"),
                1..=TEXT_CHARS_MAX => Ok(()),
                _ => invalid("/text", "the text is longer than 65,536 characters"),
            },
            Self::Location(location) => location.check(),
            Self::Contact { contacts } => contact::check(contacts),
            Self::Poll(poll) => poll.check(),
            Self::Event(event) => event.check(),
            Self::Unsupported { .. } => invalid("/type", "it can be received and not sent"),
        }
    }

    /// The content with a text cut to the limit: what a row of a read model holds. The journal keeps the whole.
    pub fn cut(self) -> Self {
        match self {
            Self::Text { text, link_preview } => Self::Text { text: cut(text, TEXT_CHARS_MAX), link_preview },
            other => other,
        }
    }

    /// The text to show and to search, where there is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(&text.0),
            Self::Location(location) => location.name.as_ref().map(|name| &*name.0),
            Self::Contact { contacts } => contacts.first().map(|contact| &*contact.name.0),
            Self::Poll(poll) => Some(&poll.question.0),
            Self::Event(event) => Some(&event.name.0),
            Self::Unsupported { .. } => None,
        }
    }

    /// The content after its sender wrote another text; as it is where it has no text of its own.
    pub fn edited(self, text: Text) -> Self {
        match self {
            Self::Text { link_preview, .. } => Self::Text { text: cut(text, TEXT_CHARS_MAX), link_preview },
            other => other,
        }
    }

    /// Whether its sender may write another text.
    pub fn is_editable(&self) -> bool {
        matches!(self, Self::Text { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: String) -> Content {
        Content::Text { text: Text(text), link_preview: true }
    }

    fn event() -> CalendarEvent {
        CalendarEvent {
            name: Text("Tasting".into()),
            starts_at: Timestamp::from_second(1_800_000_000).unwrap(),
            ends_at: None,
            description: None,
            location: None,
            canceled: false,
        }
    }

    #[test]
    fn a_text_is_cut_to_what_a_row_holds() {
        assert!(text("🦜".repeat(TEXT_CHARS_MAX)).check().is_ok());
        let long = text("🦜".repeat(TEXT_CHARS_MAX + 1));
        assert_eq!(long.check().unwrap_err().field, "/text");
        assert_eq!(long.cut(), text("🦜".repeat(TEXT_CHARS_MAX)));
        assert_eq!(text("short".into()).cut(), text("short".into()));
    }

    #[test]
    fn an_event_has_a_name_and_does_not_end_before_it_begins() {
        assert_eq!(event().check(), Ok(()));
        let ends_at = Some(Timestamp::from_second(1_799_999_999).unwrap());
        assert_eq!(CalendarEvent { ends_at, ..event() }.check().unwrap_err().field, "/ends_at");
        assert_eq!(CalendarEvent { name: Text(" ".into()), ..event() }.check().unwrap_err().field, "/name");
    }

    #[test]
    fn cards_together_are_no_larger_than_what_is_kept() {
        let card = ContactCard {
            vcard: Text("\u{1}".repeat(VCARD_BYTES_MAX)),
            ..ContactCard::new(Text("Ada".into()), vec![], None, None)
        };
        let contact = |count| Content::Contact { contacts: vec![card.clone(); count] };
        assert!(contact(1).check().is_ok());
        assert_eq!(contact(2).check().unwrap_err().field, "");
    }

    #[test]
    fn what_cannot_be_read_cannot_be_sent() {
        let unknown = Content::Unsupported { raw_type: "imageMessage".into() };
        assert_eq!(unknown.check().unwrap_err().field, "/type");
    }
}
