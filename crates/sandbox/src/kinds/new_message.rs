//! A message of any kind as a person writes it on a phone, and what no phone could send.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::Refusal;
use crate::limits;

/// What a phone sends: a kind, and the fields of that kind, named as in the public API.
///
/// A field that its kind does not have is refused. Where `from_value` of `serde_json` is at hand, messages are best
/// written as JSON: `{"type": "poll", "question": "When?", "options": ["now", "later"]}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewMessage {
    /// `text`, `image`, `video`, `video_note`, `audio`, `voice`, `sticker`, `document`, `location`, `contact`, `poll`,
    /// `poll_vote`, `event`, `event_response`, `reaction`, `edit`, `delete`, `pin`, or `unknown`.
    pub r#type: String,
    /// Of a text or an edit, 1 to 65,536 characters; of a reaction, its emoji.
    pub text: Option<String>,
    /// Of a text that contains a link.
    pub preview: Option<NewPreview>,
    /// The id of the message that is answered, reacted to, edited, deleted, pinned or voted on.
    pub target: Option<String>,
    /// The file.
    pub media: Option<NewFile>,
    /// Of an image, a video or a document, up to 65,536 characters; of a live location.
    pub caption: Option<String>,
    /// Of a document, up to 255 characters.
    pub filename: Option<String>,
    /// A small picture of it, base64, up to 64 KiB.
    pub thumbnail: Option<String>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Seconds, up to a day.
    pub duration_s: Option<u32>,
    /// Of a voice message: up to 64 heights from 0 to 100.
    pub waveform: Option<Vec<u8>>,
    /// Of a sticker that moves, or of a video that is shown as a GIF.
    pub animated: Option<bool>,
    /// Degrees, -90 to 90.
    pub latitude: Option<f64>,
    /// Degrees, -180 to 180.
    pub longitude: Option<f64>,
    /// Of a place or an event.
    pub name: Option<String>,
    /// Of a place.
    pub address: Option<String>,
    /// A location that follows the person.
    pub live: Option<bool>,
    /// 1 to 20.
    pub contacts: Option<Vec<NewContact>>,
    /// Of a poll, up to 255 characters.
    pub question: Option<String>,
    /// Of a poll, 2 to 12 of up to 100 characters, or those of a vote: none to take it back.
    pub options: Option<Vec<String>>,
    /// How many options of a poll may be chosen, 1 when absent; any number when 0.
    pub max_choices: Option<u32>,
    /// RFC 3339, whole seconds.
    pub starts_at: Option<String>,
    /// RFC 3339, whole seconds.
    pub ends_at: Option<String>,
    /// Of an event, up to 2,048 characters.
    pub description: Option<String>,
    /// Of an event.
    pub location: Option<NewSpot>,
    /// An event that does not take place.
    pub canceled: Option<bool>,
    /// To an event: `going`, `not_going` or `maybe`.
    pub response: Option<String>,
    /// Whether a message is pinned or no longer; `true` when absent.
    pub pinned: Option<bool>,
    /// For how many seconds it is pinned, up to 90 days; 7 days when absent.
    pub for_s: Option<u32>,
    /// Of type `unknown`: `paymentInviteMessage` or `newsletterAdminInviteMessage`.
    pub raw_type: Option<String>,
    /// People who are mentioned, up to 256: numbers, or addresses of people.
    pub mentions: Option<Vec<String>>,
    /// Somebody else wrote it first.
    pub forwarded: Option<bool>,
    /// How often it was forwarded, 1 when absent; up to 127.
    pub forwarding_score: Option<u32>,
    /// An image, a video or a voice message that is shown once.
    pub view_once: Option<bool>,
    /// Seconds after which it disappears, up to 90 days.
    pub expires_in_s: Option<u32>,
}

/// What is shown of a link.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPreview {
    /// As it stands in the text.
    pub url: String,
    /// Of the page.
    pub title: Option<String>,
    /// Of the page.
    pub description: Option<String>,
}

/// A file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewFile {
    /// Base64 of 1 byte to 100 MiB.
    pub data: String,
    /// The kind's most common one when absent.
    pub mime_type: Option<String>,
}

/// Somebody's card: either all of it, or what to make it of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewContact {
    /// Shown above the card.
    pub name: Option<String>,
    /// Numbers in E.164.
    pub phones: Vec<String>,
    /// Where the person works.
    pub organization: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// The whole card (RFC 6350), up to 8,192 characters.
    pub vcard: Option<String>,
}

/// Where an event takes place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewSpot {
    /// Degrees, -90 to 90.
    pub latitude: Option<f64>,
    /// Degrees, -180 to 180.
    pub longitude: Option<f64>,
    /// What it is called.
    pub name: Option<String>,
    /// Street and town.
    pub address: Option<String>,
}

const FILES: &[&str] = &["image", "video", "video_note", "audio", "voice", "sticker", "document"];
const FRAMED: &[&str] = &["image", "video", "video_note", "sticker"];
/// Of which a phone can say whom they mention, that they are forwarded or disappear, and what they answer.
const CONTENTS: &[&str] = &[
    "text",
    "image",
    "video",
    "video_note",
    "audio",
    "voice",
    "sticker",
    "document",
    "location",
    "contact",
    "poll",
    "event",
];
/// What is done to another message.
const ACTIONS: &[&str] = &["reaction", "edit", "delete", "poll_vote", "event_response", "pin"];

/// A field, and the kinds that have it.
type Field = (&'static str, fn(&NewMessage) -> bool, &'static [&'static [&'static str]]);

macro_rules! field {
    ($name:ident, $($kinds:expr),+) => {
        (concat!("/", stringify!($name)), (|message: &NewMessage| message.$name.is_some()) as fn(&NewMessage) -> bool, &[$($kinds),+])
    };
}

const FIELDS: &[Field] = &[
    // Of a deletion it is of no use, and was never refused.
    field!(text, &["text", "reaction", "edit", "delete"]),
    field!(preview, &["text"]),
    field!(target, CONTENTS, ACTIONS),
    field!(media, FILES),
    field!(caption, &["image", "video", "document", "location"]),
    field!(filename, &["document"]),
    field!(thumbnail, FRAMED, &["document"]),
    field!(width, FRAMED),
    field!(height, FRAMED),
    field!(duration_s, &["video", "video_note", "audio", "voice"]),
    field!(waveform, &["voice"]),
    field!(animated, &["sticker", "video"]),
    field!(latitude, &["location"]),
    field!(longitude, &["location"]),
    field!(name, &["location", "event"]),
    field!(address, &["location"]),
    field!(live, &["location"]),
    field!(contacts, &["contact"]),
    field!(question, &["poll"]),
    field!(options, &["poll", "poll_vote"]),
    field!(max_choices, &["poll"]),
    field!(starts_at, &["event"]),
    field!(ends_at, &["event"]),
    field!(description, &["event"]),
    field!(location, &["event"]),
    field!(canceled, &["event"]),
    field!(response, &["event_response"]),
    field!(pinned, &["pin"]),
    field!(for_s, &["pin"]),
    field!(raw_type, &["unknown"]),
    field!(mentions, CONTENTS),
    field!(forwarded, CONTENTS),
    field!(forwarding_score, CONTENTS),
    field!(view_once, &["image", "video", "voice"]),
    field!(expires_in_s, CONTENTS),
];

/// A field that its kind cannot be without.
pub(super) fn needed<T>(field: Option<T>, pointer: &'static str) -> Result<T, Refusal> {
    field.ok_or_else(|| Refusal::field(pointer, "a message of this type needs it"))
}

fn characters(
    text: Option<&String>,
    least: usize,
    most: usize,
    pointer: &'static str,
) -> Result<(), Refusal> {
    match text.map(|text| text.chars().count()) {
        Some(count) if !(least..=most).contains(&count) => {
            Err(Refusal::field(pointer, format!("{least} to {most} characters")))
        },
        _ => Ok(()),
    }
}

fn within(number: Option<u32>, least: u32, most: u32, pointer: &'static str) -> Result<(), Refusal> {
    match number {
        Some(number) if !(least..=most).contains(&number) => {
            Err(Refusal::field(pointer, format!("{least} to {most}")))
        },
        _ => Ok(()),
    }
}

fn degrees(angle: Option<f64>, most: f64, pointer: &'static str) -> Result<(), Refusal> {
    match angle {
        Some(angle) if !(-most..=most).contains(&angle) => {
            Err(Refusal::field(pointer, format!("-{most} to {most} degrees")))
        },
        _ => Ok(()),
    }
}

fn several<T>(
    list: Option<&Vec<T>>,
    least: usize,
    most: usize,
    pointer: &'static str,
) -> Result<(), Refusal> {
    match list {
        Some(list) if !(least..=most).contains(&list.len()) => {
            Err(Refusal::field(pointer, format!("{least} to {most} of them")))
        },
        _ => Ok(()),
    }
}

/// Seconds since 1970 of a time.
pub(super) fn seconds(time: Option<&String>, pointer: &'static str) -> Result<Option<i64>, Refusal> {
    let Some(time) = time else { return Ok(None) };
    let parsed = time.parse::<jiff::Timestamp>().ok();
    let whole = parsed.filter(|time| time.subsec_nanosecond() == 0).map(jiff::Timestamp::as_second);
    let whole = whole.filter(|seconds| *seconds > 0);
    whole.map(Some).ok_or_else(|| Refusal::field(pointer, "RFC 3339 with whole seconds, after 1970"))
}

impl NewMessage {
    fn is(&self, kinds: &[&str]) -> bool {
        kinds.contains(&self.r#type.as_str())
    }

    /// Refuses what no phone could send.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if !(self.is(CONTENTS) || self.is(ACTIONS) || self.is(&["unknown"])) {
            let sent = format!("phones send {}, {} and unknown", CONTENTS.join(", "), ACTIONS.join(", "));
            return Err(Refusal::new(422, "not_supported", sent).at("/type"));
        }
        let foreign =
            FIELDS.iter().find(|(_, said, kinds)| said(self) && !kinds.iter().any(|kinds| self.is(kinds)));
        if let Some((pointer, ..)) = foreign {
            return Err(Refusal::field(pointer, "a message of this type has no such field"));
        }
        if self.is(ACTIONS) {
            needed(self.target.as_ref(), "/target")?;
        }
        characters(self.target.as_ref(), 1, limits::STANZA_ID_CHARS, "/target")?;
        self.check_text()?;
        self.check_file()?;
        self.check_place()?;
        self.check_contacts()?;
        self.check_poll()?;
        self.check_event()?;
        within(self.for_s, 1, limits::EXPIRES_S, "/for_s")?;
        within(self.expires_in_s, 1, limits::EXPIRES_S, "/expires_in_s")?;
        within(self.forwarding_score, 1, limits::FORWARDING_SCORE, "/forwarding_score")?;
        several(self.mentions.as_ref(), 1, limits::MENTIONS, "/mentions")?;
        if self.is(&["unknown"]) {
            needed(self.raw_type.as_ref(), "/raw_type")?;
        }
        Ok(())
    }

    fn check_text(&self) -> Result<(), Refusal> {
        if self.is(&["text", "reaction", "edit"]) {
            needed(self.text.as_ref(), "/text")?;
        }
        match self.is(&["reaction"]) {
            true => characters(self.text.as_ref(), 0, limits::REACTION_CHARS, "/text")?,
            false => characters(self.text.as_ref(), 1, limits::TEXT_CHARS, "/text")?,
        }
        let Some(preview) = &self.preview else { return Ok(()) };
        if preview.url.is_empty() || !self.text.as_ref().is_some_and(|text| text.contains(&preview.url)) {
            return Err(Refusal::field("/preview/url", "a link that stands in the text"));
        }
        characters(preview.title.as_ref(), 1, limits::LINE_CHARS, "/preview/title")?;
        characters(preview.description.as_ref(), 1, limits::DESCRIPTION_CHARS, "/preview/description")
    }

    fn check_file(&self) -> Result<(), Refusal> {
        if self.is(FILES) {
            let bytes = self.file()?;
            if bytes.is_empty() || bytes.len() > limits::MEDIA_BYTES {
                return Err(Refusal::field("/media/data", format!("1 to {} bytes", limits::MEDIA_BYTES)));
            }
        }
        let mime_type = self.media.as_ref().and_then(|media| media.mime_type.as_ref());
        characters(mime_type, 1, limits::MIME_TYPE_CHARS, "/media/mime_type")?;
        characters(self.caption.as_ref(), 1, limits::TEXT_CHARS, "/caption")?;
        characters(self.filename.as_ref(), 1, limits::FILE_NAME_CHARS, "/filename")?;
        let small = self.small_picture()?;
        if small.is_some_and(|small| !(1..=limits::THUMBNAIL_BYTES).contains(&small.len())) {
            return Err(Refusal::field("/thumbnail", format!("1 to {} bytes", limits::THUMBNAIL_BYTES)));
        }
        within(self.width, 1, limits::PIXELS, "/width")?;
        within(self.height, 1, limits::PIXELS, "/height")?;
        within(self.duration_s, 0, limits::DURATION_S, "/duration_s")?;
        several(self.waveform.as_ref(), 1, limits::WAVEFORM, "/waveform")?;
        if self.waveform.iter().flatten().any(|height| *height > 100) {
            return Err(Refusal::field("/waveform", "heights from 0 to 100"));
        }
        Ok(())
    }

    /// The bytes of the file.
    pub(crate) fn file(&self) -> Result<Vec<u8>, Refusal> {
        let media = needed(self.media.as_ref(), "/media")?;
        STANDARD.decode(&media.data).map_err(|_| Refusal::field("/media/data", "not base64"))
    }

    /// The bytes of the small picture.
    pub(crate) fn small_picture(&self) -> Result<Option<Vec<u8>>, Refusal> {
        let small = self.thumbnail.as_ref().map(|small| STANDARD.decode(small)).transpose();
        small.map_err(|_| Refusal::field("/thumbnail", "not base64"))
    }

    fn check_place(&self) -> Result<(), Refusal> {
        if self.is(&["location"]) {
            needed(self.latitude, "/latitude")?;
            needed(self.longitude, "/longitude")?;
            let named = [("/name", self.name.is_some()), ("/address", self.address.is_some())];
            let live = self.live == Some(true);
            if let Some((pointer, _)) = named.into_iter().find(|(_, said)| live && *said) {
                return Err(Refusal::field(pointer, "a live location has no name and no address"));
            }
            if self.caption.is_some() && !live {
                return Err(Refusal::field("/caption", "only a live location has a caption"));
            }
        }
        degrees(self.latitude, 90.0, "/latitude")?;
        degrees(self.longitude, 180.0, "/longitude")?;
        characters(self.name.as_ref(), 1, limits::LINE_CHARS, "/name")?;
        characters(self.address.as_ref(), 1, limits::DESCRIPTION_CHARS, "/address")
    }

    fn check_contacts(&self) -> Result<(), Refusal> {
        if self.is(&["contact"]) {
            needed(self.contacts.as_ref(), "/contacts")?;
        }
        several(self.contacts.as_ref(), 1, limits::CONTACTS, "/contacts")?;
        for contact in self.contacts.iter().flatten() {
            contact.check()?;
        }
        Ok(())
    }

    fn check_poll(&self) -> Result<(), Refusal> {
        if self.is(&["poll"]) {
            needed(self.question.as_ref(), "/question")?;
            let options = needed(self.options.as_ref(), "/options")?;
            several(Some(options), 2, limits::POLL_OPTIONS, "/options")?;
            within(self.max_choices, 0, u32::try_from(options.len()).unwrap_or(0), "/max_choices")?;
        }
        if self.is(&["poll_vote"]) {
            needed(self.options.as_ref(), "/options")?;
        }
        characters(self.question.as_ref(), 1, limits::LINE_CHARS, "/question")?;
        several(self.options.as_ref(), 0, limits::POLL_OPTIONS, "/options")?;
        let mut seen = std::collections::BTreeSet::new();
        for option in self.options.iter().flatten() {
            characters(Some(option), 1, limits::OPTION_CHARS, "/options")?;
            if !seen.insert(option) {
                return Err(Refusal::field("/options", "each of them once"));
            }
        }
        Ok(())
    }

    fn check_event(&self) -> Result<(), Refusal> {
        if self.is(&["event"]) {
            needed(self.name.as_ref(), "/name")?;
            needed(self.starts_at.as_ref(), "/starts_at")?;
        }
        let begin = seconds(self.starts_at.as_ref(), "/starts_at")?;
        let end = seconds(self.ends_at.as_ref(), "/ends_at")?;
        if end.is_some() && end <= begin {
            return Err(Refusal::field("/ends_at", "after it begins"));
        }
        characters(self.description.as_ref(), 1, limits::DESCRIPTION_CHARS, "/description")?;
        if let Some(place) = &self.location {
            degrees(place.latitude, 90.0, "/location/latitude")?;
            degrees(place.longitude, 180.0, "/location/longitude")?;
            characters(place.name.as_ref(), 1, limits::LINE_CHARS, "/location/name")?;
            characters(place.address.as_ref(), 1, limits::DESCRIPTION_CHARS, "/location/address")?;
        }
        if self.is(&["event_response"]) {
            let response = needed(self.response.as_deref(), "/response")?;
            if !["going", "not_going", "maybe"].contains(&response) {
                return Err(Refusal::field("/response", "going, not_going or maybe"));
            }
        }
        Ok(())
    }
}

impl NewContact {
    fn check(&self) -> Result<(), Refusal> {
        characters(self.name.as_ref(), 1, limits::LINE_CHARS, "/contacts")?;
        characters(self.organization.as_ref(), 1, limits::LINE_CHARS, "/contacts")?;
        characters(self.email.as_ref(), 1, limits::LINE_CHARS, "/contacts")?;
        characters(self.vcard.as_ref(), 1, limits::VCARD_CHARS, "/contacts")?;
        let made_of = !self.phones.is_empty() || self.organization.is_some() || self.email.is_some();
        if self.vcard.is_some() == made_of || (self.vcard.is_none() && self.name.is_none()) {
            return Err(Refusal::field("/contacts", "a vcard, or a name with phones"));
        }
        if self.phones.len() > limits::CONTACT_PHONES {
            let detail = format!("up to {} numbers of one person", limits::CONTACT_PHONES);
            return Err(Refusal::field("/contacts", detail));
        }
        for phone in &self.phones {
            crate::phones::digits(phone).map_err(|wrong| wrong.at("/contacts"))?;
        }
        Ok(())
    }
}
