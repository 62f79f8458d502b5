use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a phone's owner can write or do.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SandboxMessageKind {
    /// A text; an answer when it has a target.
    Text,
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A film that was made in the chat.
    VideoNote,
    /// A sound file.
    Audio,
    /// A sound that was spoken into the phone.
    Voice,
    /// A sticker.
    Sticker,
    /// A file.
    Document,
    /// A place, or where the person is now.
    Location,
    /// Cards of people.
    Contact,
    /// A question with options.
    Poll,
    /// A choice of a poll's options.
    PollVote,
    /// Something that people come to.
    Event,
    /// Whether the person comes to it.
    EventResponse,
    /// Reacts to a message.
    Reaction,
    /// Gives a message that the phone sent another text or caption.
    Edit,
    /// Takes back a message that the phone sent; as an admin of a group also one of others.
    Delete,
    /// Pins a message in the chat, or no longer.
    Pin,
    /// Something that this API has no word for, to see what becomes of it.
    Unknown,
}

/// A message that a phone's owner sends. A field that its kind does not have is refused.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SandboxMessage)]
pub(crate) struct SandboxMessageIn {
    /// Who receives it: the number or the address of another phone, or the address of a group.
    #[schema(example = "+15550001111")]
    to: String,
    /// Its kind.
    #[serde(rename = "type")]
    kind: SandboxMessageKind,
    /// The text, also of an edit, or the emoji of a reaction: empty to take it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65536, example = "On my way!")]
    text: Option<String>,
    /// With a text: what is shown of a link in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preview: Option<LinkPreview>,
    /// The `whatsapp_id` of the message that this one answers, reacts to, edits, deletes, pins or votes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media: Option<SandboxFileIn>,
    /// Of an image, a video, a document or a live location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 65536)]
    caption: Option<String>,
    /// Of a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    filename: Option<String>,
    /// A small picture of an image, a video, a sticker or a document: base64 of up to 32 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thumbnail: Option<String>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 65535)]
    width: Option<u32>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 65535)]
    height: Option<u32>,
    /// Seconds of a recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 86400)]
    duration_s: Option<u32>,
    /// Of a voice message: heights from 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 64)]
    waveform: Option<Vec<u8>>,
    /// Of a sticker that moves, or of a video that is shown as a GIF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    animated: Option<bool>,
    /// Of a location, in degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = -90, maximum = 90)]
    latitude: Option<f64>,
    /// Of a location, in degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = -180, maximum = 180)]
    longitude: Option<f64>,
    /// Of a location or an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Of a location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 2048)]
    address: Option<String>,
    /// A location that follows the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    live: Option<bool>,
    /// Cards of people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 20)]
    contacts: Option<Vec<SandboxContactIn>>,
    /// Of a poll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    question: Option<String>,
    /// Of a poll, 2 to 12; or those of a vote, none to take it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 12)]
    options: Option<Vec<String>>,
    /// How many options of a poll may be chosen: 1 when absent, any number when 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 12)]
    max_choices: Option<u32>,
    /// When an event begins, in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    starts_at: Option<String>,
    /// When an event ends, in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    ends_at: Option<String>,
    /// Of an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 2048)]
    description: Option<String>,
    /// Of an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<SandboxPlace>,
    /// An event that does not take place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    canceled: Option<bool>,
    /// To an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response: Option<EventAnswer>,
    /// Whether a message is pinned, or no longer; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pinned: Option<bool>,
    /// For how many seconds it is pinned; 7 days when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 7776000)]
    for_s: Option<u32>,
    /// With `unknown`: what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw_type: Option<RawType>,
    /// Numbers or addresses of people who are mentioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 256)]
    mentions: Option<Vec<String>>,
    /// Somebody else wrote it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forwarded: Option<bool>,
    /// How often it was forwarded, 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 127)]
    forwarding_score: Option<u32>,
    /// An image, a video or a voice message that is shown once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    view_once: Option<bool>,
    /// Seconds after which it disappears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 7776000)]
    expires_in_s: Option<u32>,
}

/// What is shown of a link.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SandboxLinkPreview)]
pub(crate) struct LinkPreview {
    /// As it stands in the text.
    #[schema(example = "https://example.com/menu")]
    url: String,
    /// Of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    title: Option<String>,
    /// Of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 2048)]
    description: Option<String>,
}

/// A file that a phone sends.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SandboxFile)]
pub(crate) struct SandboxFileIn {
    /// Base64.
    data: String,
    /// The kind's most common one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100, example = "image/png")]
    mime_type: Option<String>,
}

/// Somebody's card: a name with phones, or a vCard.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SandboxContact)]
pub(crate) struct SandboxContactIn {
    /// Shown above the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, example = "Ada")]
    name: Option<String>,
    /// Numbers in E.164.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    phones: Vec<String>,
    /// Where the person works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    organization: Option<String>,
    /// An e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    email: Option<String>,
    /// The whole card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 8192)]
    vcard: Option<String>,
}

/// Where an event takes place.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SandboxPlace {
    /// Degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = -90, maximum = 90)]
    latitude: Option<f64>,
    /// Degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = -180, maximum = 180)]
    longitude: Option<f64>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Street and town.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 2048)]
    address: Option<String>,
}

/// Whether somebody comes to an event.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SandboxEventResponse)]
enum EventAnswer {
    /// Comes.
    Going,
    /// Does not come.
    NotGoing,
    /// Does not know yet.
    Maybe,
}

/// What this API has no word for, as WhatsApp's protocol names it.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxRawType)]
enum RawType {
    /// An invitation to send and receive money.
    PaymentInviteMessage,
    /// An invitation to run a channel.
    NewsletterAdminInviteMessage,
}

/// What is in a message that a phone decrypted, by the names of its kind; what it does not have is absent.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = InboxContent)]
pub(crate) struct InboxContentOut {
    /// Of a text or an edit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    text: Option<String>,
    /// What a text shows of a link in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    preview: Option<LinkPreview>,
    /// Of a file, as its sender says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    mime_type: Option<String>,
    /// Of a file, as its sender says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    size_bytes: Option<u64>,
    /// Of a document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    filename: Option<String>,
    /// Of a file or a live location.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    caption: Option<String>,
    /// Pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    width: Option<u32>,
    /// Pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    height: Option<u32>,
    /// Seconds of a recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    duration_s: Option<u32>,
    /// Heights of a voice message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    waveform: Option<Vec<u8>>,
    /// A sticker that moves, or a video that is shown as a GIF.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    animated: Option<bool>,
    /// Whether a file comes with a small picture of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    has_thumbnail: Option<bool>,
    /// Of a location, in degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    latitude: Option<f64>,
    /// Of a location, in degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    longitude: Option<f64>,
    /// Of a location or an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    name: Option<String>,
    /// Of a location.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    address: Option<String>,
    /// Whether a location follows the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    live: Option<bool>,
    /// Cards of people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    contacts: Option<Vec<InboxContactOut>>,
    /// Of a poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    question: Option<String>,
    /// Of a poll, or those that a vote chooses; absent when the phone cannot decrypt the vote.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    options: Option<Vec<String>>,
    /// How many options of a poll may be chosen; any number when 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    max_choices: Option<u32>,
    /// When an event begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, required = false)]
    starts_at: Option<String>,
    /// When an event ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, required = false)]
    ends_at: Option<String>,
    /// Of an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    description: Option<String>,
    /// Of an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    location: Option<SandboxPlace>,
    /// Whether an event does not take place.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    canceled: Option<bool>,
    /// To an event; absent when the phone cannot decrypt it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    response: Option<EventAnswer>,
    /// Of a reaction; empty when it is taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    emoji: Option<String>,
    /// Whether a message is pinned, or no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pinned: Option<bool>,
    /// For how many seconds it is pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    for_s: Option<u32>,
    /// Of `unknown`: the field of WhatsApp's protocol that carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    raw_type: Option<String>,
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    quoted: Option<QuotedOut>,
    /// Addresses of people whom it mentions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    mentions: Option<Vec<String>>,
    /// True when somebody else wrote it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    forwarded: Option<bool>,
    /// How often it was forwarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    forwarding_score: Option<u32>,
    /// True when it is shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    view_once: Option<bool>,
    /// Seconds after which it disappears.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    expires_in_s: Option<u32>,
}

/// Somebody's card in a phone's inbox.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = InboxContact)]
pub(crate) struct InboxContactOut {
    /// Shown above the card.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    name: Option<String>,
    /// The card.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    vcard: Option<String>,
}

/// A message as it stands in an answer to it.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = InboxQuoted)]
pub(crate) struct QuotedOut {
    /// The id that its sender gave it.
    whatsapp_id: String,
    /// The number of who wrote it, or an address that nobody in the network has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    from: Option<String>,
    /// Its text or caption.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    text: Option<String>,
}
