//! What is in a message that a phone got, field by field, named as in the public API.

use buffa::Message as _;
use serde_json::{Map, Value, json};
use wacore::secret_enc_addon::ModificationType;
use wacore_binary::Jid;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::event_response_message::EventResponseType as Response;
use waproto::whatsapp::message::pin_in_chat_message::Type as Pin;

use super::find::{self, Found, Place};
use super::{names, option_hash, secrets};
use crate::content;
use crate::error::Failure;
use crate::incoming::Origin;
use crate::limits;
use crate::phones::{self, Phone};
use crate::turn::Turn;

/// The fields of a message; what it does not have is absent.
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    /// What most messages are not is said only where it is so.
    fn mark(&mut self, name: &str, is: bool) {
        self.put(name, is.then_some(true));
    }
}

/// Everything that `phone` sees in the message; `None` when that is nothing.
pub(crate) fn of(
    turn: &Turn<'_>,
    phone: &Phone,
    origin: &Origin<'_>,
    whole: &wa::Message,
) -> Result<Option<Value>, Failure> {
    let message = content::inner(whole);
    let mut fields = Fields(Map::new());
    let (kind, text) = content::describe(message);
    match kind {
        "text" => self::text(&mut fields, message),
        "location" => location(&mut fields, message),
        "contact" => contacts(&mut fields, message),
        "poll" => poll(&mut fields, message),
        "poll_vote" => fields.put("options", vote(turn, phone, origin, message)?),
        "event" => event(&mut fields, message),
        "event_response" => fields.put("response", response(turn, phone, origin, message)?),
        "reaction" => fields.put("emoji", text),
        "edit" => fields.put("text", text),
        "delete" => {},
        "pin" => pin(&mut fields, message, whole),
        "unknown" => fields.put("raw_type", names::of(&message.encode_to_vec())),
        _ => file(&mut fields, message),
    }
    fields.mark("view_once", content::view_once(whole));
    if let Some(context) = content::context(message) {
        common(turn, phone, &mut fields, context)?;
    }
    Ok(Some(fields.0).filter(|fields| !fields.is_empty()).map(Value::Object))
}

fn common(
    turn: &Turn<'_>,
    phone: &Phone,
    fields: &mut Fields,
    context: &wa::ContextInfo,
) -> Result<(), Failure> {
    if let Some(id) = &context.stanza_id {
        let mut quoted = Fields(Map::new());
        quoted.put("whatsapp_id", Some(id.as_str()));
        quoted.put("from", context.participant.as_deref().map(|jid| person(turn, phone, jid)).transpose()?);
        quoted.put("text", context.quoted_message.as_option().and_then(|quoted| content::describe(quoted).1));
        fields.put("quoted", Some(quoted.0));
    }
    let mentions: Vec<_> = context.mentioned_jid.iter().take(limits::LISTED).cloned().collect();
    fields.put("mentions", Some(mentions).filter(|mentions| !mentions.is_empty()));
    fields.mark("forwarded", context.is_forwarded == Some(true));
    fields.put("forwarding_score", context.forwarding_score.filter(|score| *score > 0));
    fields.put("expires_in_s", context.expiration.filter(|seconds| *seconds > 0));
    Ok(())
}

/// The number of the person of an address, or the address where there is nobody.
fn person(turn: &Turn<'_>, phone: &Phone, jid: &str) -> Result<String, Failure> {
    let known = match jid.parse::<Jid>() {
        Ok(jid) => phones::by_jid(turn, phone.network, &jid)?,
        Err(_) => None,
    };
    Ok(known.map_or_else(|| jid.to_owned(), |known| known.e164()))
}

fn text(fields: &mut Fields, message: &wa::Message) {
    fields.put("text", content::describe(message).1);
    let Some(text) = message.extended_text_message.as_option() else { return };
    let Some(url) = text.matched_text.as_deref().filter(|url| !url.is_empty()) else { return };
    let mut preview = Fields(Map::new());
    preview.put("url", Some(url));
    preview.put("title", text.title.as_deref());
    preview.put("description", text.description.as_deref());
    fields.put("preview", Some(preview.0));
}

fn file(fields: &mut Fields, message: &wa::Message) {
    // The messages share these fields, but no type.
    macro_rules! shared {
        ($file:expr, $thumbnail:expr) => {
            fields.put("mime_type", $file.mimetype.as_deref());
            fields.put("size_bytes", $file.file_length);
            fields.put("has_thumbnail", Some($thumbnail.as_ref().is_some_and(|bytes| !bytes.is_empty())));
        };
    }
    if let Some(image) = message.image_message.as_option() {
        shared!(image, image.jpeg_thumbnail);
        fields.put("caption", image.caption.as_deref());
        fields.put("width", image.width);
        fields.put("height", image.height);
    }
    let video = message.video_message.as_option().or_else(|| message.ptv_message.as_option());
    if let Some(video) = video {
        shared!(video, video.jpeg_thumbnail);
        fields.put("caption", video.caption.as_deref());
        fields.put("width", video.width);
        fields.put("height", video.height);
        fields.put("duration_s", video.seconds);
        fields.mark("animated", video.gif_playback == Some(true));
    }
    if let Some(audio) = message.audio_message.as_option() {
        shared!(audio, None::<Vec<u8>>);
        fields.put("duration_s", audio.seconds);
        fields.put(
            "waveform",
            audio.waveform.as_ref().map(|waveform| {
                waveform.iter().take(limits::LISTED).map(|height| u32::from(*height)).collect::<Vec<_>>()
            }),
        );
    }
    if let Some(document) = message.document_message.as_option() {
        shared!(document, document.jpeg_thumbnail);
        fields.put("caption", document.caption.as_deref());
        fields.put("filename", document.file_name.as_deref());
    }
    if let Some(sticker) = message.sticker_message.as_option() {
        shared!(sticker, sticker.png_thumbnail);
        fields.put("width", sticker.width);
        fields.put("height", sticker.height);
        fields.put("animated", Some(sticker.is_animated == Some(true)));
    }
}

fn location(fields: &mut Fields, message: &wa::Message) {
    if let Some(live) = message.live_location_message.as_option() {
        fields.put("latitude", live.degrees_latitude);
        fields.put("longitude", live.degrees_longitude);
        fields.put("caption", live.caption.as_deref());
        fields.put("live", Some(true));
    }
    if let Some(place) = message.location_message.as_option() {
        spot(fields, place);
        fields.put("live", Some(place.is_live == Some(true)));
    }
}

fn spot(fields: &mut Fields, place: &wa::message::LocationMessage) {
    fields.put("latitude", place.degrees_latitude);
    fields.put("longitude", place.degrees_longitude);
    fields.put("name", place.name.as_deref());
    fields.put("address", place.address.as_deref());
}

fn contacts(fields: &mut Fields, message: &wa::Message) {
    let several = message.contacts_array_message.as_option().map(|several| several.contacts.iter());
    let contacts = message.contact_message.as_option().into_iter().chain(several.into_iter().flatten());
    let contacts = contacts.take(limits::LISTED).map(|contact| {
        let mut fields = Fields(Map::new());
        fields.put("name", contact.display_name.as_deref());
        fields.put("vcard", contact.vcard.as_deref());
        Value::Object(fields.0)
    });
    fields.put("contacts", Some(contacts.collect::<Vec<_>>()));
}

/// The options of a poll, in their order.
pub(crate) fn options(poll: &wa::message::PollCreationMessage) -> impl Iterator<Item = &str> {
    poll.options.iter().take(limits::LISTED).filter_map(|option| option.option_name.as_deref())
}

fn poll(fields: &mut Fields, message: &wa::Message) {
    let Some(poll) = content::poll(message) else { return };
    fields.put("question", poll.name.as_deref());
    fields.put("options", Some(options(poll).collect::<Vec<_>>()));
    fields.put("max_choices", Some(poll.selectable_options_count.unwrap_or(0)));
}

fn event(fields: &mut Fields, message: &wa::Message) {
    let Some(event) = message.event_message.as_option() else { return };
    let time = |seconds: Option<i64>| {
        Some(jiff::Timestamp::from_second(seconds.filter(|seconds| *seconds > 0)?).ok()?.to_string())
    };
    fields.put("name", event.name.as_deref());
    fields.put("starts_at", time(event.start_time));
    fields.put("ends_at", time(event.end_time));
    fields.put("description", event.description.as_deref());
    if let Some(place) = event.location.as_option() {
        let mut location = Fields(Map::new());
        spot(&mut location, place);
        fields.put("location", Some(location.0));
    }
    fields.put("canceled", Some(event.is_canceled == Some(true)));
}

fn pin(fields: &mut Fields, message: &wa::Message, whole: &wa::Message) {
    let Some(pin) = message.pin_in_chat_message.as_option() else { return };
    fields.put("pinned", Some(pin.r#type == Some(Pin::PIN_FOR_ALL)));
    let lasts = content::layers(whole)
        .find_map(|layer| layer.message_context_info.as_option()?.message_add_on_duration_in_secs);
    fields.put("for_s", lasts.filter(|seconds| *seconds > 0));
}

/// The message that a vote or an answer is about, as the phone has it, with its id.
fn about<'m>(
    turn: &Turn<'_>,
    phone: &Phone,
    origin: &Origin<'_>,
    message: &'m wa::Message,
) -> Result<Option<(Found, &'m str)>, Failure> {
    let place = match origin.group {
        Some(group) => Place::Group(group),
        None => Place::Person { to: origin.sender, form: origin.form },
    };
    let Some(id) = content::key(message).and_then(|key| key.id.as_deref()) else { return Ok(None) };
    Ok(find::find(turn, phone, place, id)?.map(|found| (found, id)))
}

/// The options that were chosen; `None` when the phone cannot decrypt the vote.
fn vote(
    turn: &Turn<'_>,
    phone: &Phone,
    origin: &Origin<'_>,
    message: &wa::Message,
) -> Result<Option<Value>, Failure> {
    let Some((found, id)) = about(turn, phone, origin, message)? else { return Ok(None) };
    let vote = message.poll_update_message.as_option().and_then(|update| update.vote.as_option());
    let (Some(vote), Some(poll)) = (vote, content::poll(content::inner(&found.message))) else {
        return Ok(None);
    };
    let (payload, iv) = (vote.enc_payload.as_deref(), vote.enc_iv.as_deref());
    let plain = secrets::open(&found, id, origin.sender, ModificationType::PollVote, payload, iv);
    let chosen = plain.and_then(|plain| wa::message::PollVoteMessage::decode_from_slice(&plain).ok());
    let Some(chosen) = chosen else { return Ok(None) };
    let names = options(poll).filter(|option| chosen.selected_options.contains(&option_hash(option)));
    Ok(Some(json!(names.collect::<Vec<_>>())))
}

/// `going`, `not_going` or `maybe`; `None` when the phone cannot decrypt the answer.
fn response(
    turn: &Turn<'_>,
    phone: &Phone,
    origin: &Origin<'_>,
    message: &wa::Message,
) -> Result<Option<&'static str>, Failure> {
    let Some((found, id)) = about(turn, phone, origin, message)? else { return Ok(None) };
    let Some(sealed) = message.enc_event_response_message.as_option() else { return Ok(None) };
    let (payload, iv) = (sealed.enc_payload.as_deref(), sealed.enc_iv.as_deref());
    let plain = secrets::open(&found, id, origin.sender, ModificationType::EventResponse, payload, iv);
    let said = plain.and_then(|plain| wa::message::EventResponseMessage::decode_from_slice(&plain).ok());
    Ok(match said.and_then(|said| said.response) {
        Some(Response::GOING) => Some("going"),
        Some(Response::NOT_GOING) => Some("not_going"),
        Some(Response::MAYBE) => Some("maybe"),
        Some(Response::UNKNOWN) | None => None,
    })
}
