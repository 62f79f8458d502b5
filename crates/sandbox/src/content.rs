//! What kind of message it is, in the words of the public API.

use waproto::whatsapp::Message;

/// A message with a text and nothing else.
pub(crate) fn text(text: &str) -> Message {
    Message { conversation: Some(text.to_owned()), ..Default::default() }
}

/// The attribute `type` of the stanza that carries the message.
pub(crate) fn stanza_type(message: &Message) -> &'static str {
    match describe(message).0 {
        "image" | "video" | "document" | "audio" | "voice" | "sticker" | "location" | "contact" => "media",
        "reaction" => "reaction",
        "poll" | "poll_vote" => "poll",
        "event" => "event",
        _ => "text",
    }
}

/// The kind, and the text or caption.
pub(crate) fn describe(message: &Message) -> (&'static str, Option<String>) {
    let message = inner(message);
    if let Some(text) = &message.conversation {
        return ("text", Some(text.clone()));
    }
    if let Some(text) = message.extended_text_message.as_option() {
        return ("text", text.text.clone());
    }
    if let Some(image) = message.image_message.as_option() {
        return ("image", image.caption.clone());
    }
    if let Some(video) = message.video_message.as_option() {
        return ("video", video.caption.clone());
    }
    if let Some(document) = message.document_message.as_option() {
        return ("document", document.caption.clone());
    }
    if let Some(audio) = message.audio_message.as_option() {
        return (if audio.ptt == Some(true) { "voice" } else { "audio" }, None);
    }
    if let Some(reaction) = message.reaction_message.as_option() {
        return ("reaction", reaction.text.clone());
    }
    if message.sticker_message.is_set() {
        return ("sticker", None);
    }
    if message.location_message.is_set() || message.live_location_message.is_set() {
        return ("location", None);
    }
    if message.contact_message.is_set() || message.contacts_array_message.is_set() {
        return ("contact", None);
    }
    if message.poll_creation_message.is_set()
        || message.poll_creation_message_v2.is_set()
        || message.poll_creation_message_v3.is_set()
    {
        return ("poll", None);
    }
    if message.poll_update_message.is_set() {
        return ("poll_vote", None);
    }
    if message.event_message.is_set() {
        return ("event", None);
    }
    if let Some(protocol) = message.protocol_message.as_option() {
        return match protocol.edited_message.as_option() {
            Some(edited) => ("edit", describe(edited).1),
            None => ("delete", None),
        };
    }
    ("unknown", None)
}

/// The id of the message that it is about: answered, reacted to, edited, deleted or voted on.
pub(crate) fn target(message: &Message) -> Option<String> {
    let message = inner(message);
    let key = None
        .or_else(|| message.reaction_message.as_option().map(|reaction| &reaction.key))
        .or_else(|| message.protocol_message.as_option().map(|protocol| &protocol.key))
        .or_else(|| message.poll_update_message.as_option().map(|vote| &vote.poll_creation_message_key));
    if let Some(key) = key {
        return key.as_option()?.id.clone();
    }
    let context = None
        .or_else(|| message.extended_text_message.as_option().map(|text| &text.context_info))
        .or_else(|| message.image_message.as_option().map(|image| &image.context_info))
        .or_else(|| message.video_message.as_option().map(|video| &video.context_info))
        .or_else(|| message.document_message.as_option().map(|document| &document.context_info))
        .or_else(|| message.audio_message.as_option().map(|audio| &audio.context_info))
        .or_else(|| message.sticker_message.as_option().map(|sticker| &sticker.context_info));
    context?.as_option()?.stanza_id.clone()
}

/// Out of the envelopes for own devices, disappearing and view-once messages.
pub(crate) fn inner(message: &Message) -> &Message {
    let wrapped = message
        .device_sent_message
        .as_option()
        .and_then(|sent| sent.message.as_option())
        .or_else(|| message.ephemeral_message.as_option().and_then(|ephemeral| ephemeral.message.as_option()))
        .or_else(|| message.view_once_message.as_option().and_then(|once| once.message.as_option()))
        .or_else(|| message.view_once_message_v2.as_option().and_then(|once| once.message.as_option()));
    match wrapped {
        Some(wrapped) => inner(wrapped),
        None => message,
    }
}
