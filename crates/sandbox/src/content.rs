//! What kind of message it is, in the words of the public API.

use waproto::whatsapp::message::protocol_message::Type;
use waproto::whatsapp::{ContextInfo, Message, MessageKey};

use crate::limits;

/// A message with a text and nothing else.
pub(crate) fn text(text: &str) -> Message {
    Message { conversation: Some(text.to_owned()), ..Default::default() }
}

/// The kind of a message without its envelopes; `unknown` for what the public API has no word for.
pub(crate) fn kind(message: &Message) -> &'static str {
    let audio = message.audio_message.as_option();
    let protocol = message.protocol_message.as_option();
    let kinds = [
        ("text", message.conversation.is_some() || message.extended_text_message.is_set()),
        ("image", message.image_message.is_set()),
        ("video", message.video_message.is_set()),
        ("video_note", message.ptv_message.is_set()),
        ("voice", audio.is_some_and(|audio| audio.ptt == Some(true))),
        ("audio", audio.is_some()),
        ("document", message.document_message.is_set()),
        ("sticker", message.sticker_message.is_set()),
        ("location", message.location_message.is_set() || message.live_location_message.is_set()),
        ("contact", message.contact_message.is_set() || message.contacts_array_message.is_set()),
        ("poll", poll(message).is_some()),
        ("poll_vote", message.poll_update_message.is_set()),
        ("event", message.event_message.is_set()),
        ("event_response", message.enc_event_response_message.is_set()),
        ("reaction", message.reaction_message.is_set()),
        ("pin", message.pin_in_chat_message.is_set()),
        ("edit", protocol.is_some_and(|protocol| protocol.edited_message.is_set())),
        ("delete", protocol.is_some_and(|protocol| matches!(protocol.r#type, None | Some(Type::REVOKE)))),
    ];
    kinds.into_iter().find(|(_, is)| *is).map_or("unknown", |(kind, _)| kind)
}

/// The poll that a message begins. Clients choose the version by how many options may be chosen.
pub(crate) fn poll(message: &Message) -> Option<&waproto::whatsapp::message::PollCreationMessage> {
    None.or_else(|| message.poll_creation_message.as_option())
        .or_else(|| message.poll_creation_message_v2.as_option())
        .or_else(|| message.poll_creation_message_v3.as_option())
        .or_else(|| message.poll_creation_message_v5.as_option())
        .or_else(|| message.poll_creation_message_v6.as_option())
}

/// The kind, and the text or caption.
pub(crate) fn describe(message: &Message) -> (&'static str, Option<String>) {
    let message = inner(message);
    let text = None
        .or_else(|| message.conversation.clone())
        .or_else(|| message.extended_text_message.as_option()?.text.clone())
        .or_else(|| message.image_message.as_option()?.caption.clone())
        .or_else(|| message.video_message.as_option()?.caption.clone())
        .or_else(|| message.document_message.as_option()?.caption.clone())
        .or_else(|| message.reaction_message.as_option()?.text.clone())
        .or_else(|| describe(message.protocol_message.as_option()?.edited_message.as_option()?).1);
    (kind(message), text)
}

/// The key of the message that a message without its envelopes changes or answers by itself, not as a quotation.
pub(crate) fn key(message: &Message) -> Option<&MessageKey> {
    None.or_else(|| message.reaction_message.as_option()?.key.as_option())
        .or_else(|| message.protocol_message.as_option()?.key.as_option())
        .or_else(|| message.poll_update_message.as_option()?.poll_creation_message_key.as_option())
        .or_else(|| message.enc_event_response_message.as_option()?.event_creation_message_key.as_option())
        .or_else(|| message.pin_in_chat_message.as_option()?.key.as_option())
}

/// The id of the message that it is about: answered, reacted to, edited, deleted, pinned or voted on.
pub(crate) fn target(message: &Message) -> Option<String> {
    let message = inner(message);
    match key(message) {
        Some(key) => key.id.clone(),
        None => context(message)?.stanza_id.clone(),
    }
}

/// What a message without its envelopes says about itself beside its content.
pub(crate) fn context(message: &Message) -> Option<&ContextInfo> {
    None.or_else(|| message.extended_text_message.as_option()?.context_info.as_option())
        .or_else(|| message.image_message.as_option()?.context_info.as_option())
        .or_else(|| message.video_message.as_option()?.context_info.as_option())
        .or_else(|| message.ptv_message.as_option()?.context_info.as_option())
        .or_else(|| message.audio_message.as_option()?.context_info.as_option())
        .or_else(|| message.document_message.as_option()?.context_info.as_option())
        .or_else(|| message.sticker_message.as_option()?.context_info.as_option())
        .or_else(|| message.location_message.as_option()?.context_info.as_option())
        .or_else(|| message.live_location_message.as_option()?.context_info.as_option())
        .or_else(|| message.contact_message.as_option()?.context_info.as_option())
        .or_else(|| message.contacts_array_message.as_option()?.context_info.as_option())
        .or_else(|| poll(message)?.context_info.as_option())
        .or_else(|| message.event_message.as_option()?.context_info.as_option())
}

/// The message and what is in its envelopes, from the outside: those for own devices, disappearing messages, media that
/// is shown once, captions of documents, edits, mentions of groups.
pub(crate) fn layers(message: &Message) -> impl Iterator<Item = &Message> {
    std::iter::successors(Some(message), |message| {
        let envelopes = [
            &message.ephemeral_message,
            &message.view_once_message,
            &message.view_once_message_v2,
            &message.view_once_message_v2_extension,
            &message.document_with_caption_message,
            &message.edited_message,
            &message.group_mentioned_message,
            &message.bot_invoke_message,
            &message.associated_child_message,
            &message.lottie_sticker_message,
            &message.spoiler_message,
            &message.event_cover_image,
            &message.poll_creation_message_v4,
        ];
        let own = message.device_sent_message.as_option().and_then(|sent| sent.message.as_option());
        own.or_else(|| envelopes.into_iter().find_map(|envelope| envelope.as_option()?.message.as_option()))
    })
    .take(limits::ENVELOPES)
}

/// The message out of its envelopes.
pub(crate) fn inner(message: &Message) -> &Message {
    layers(message).last().unwrap_or(message)
}

/// Whether it is to be shown once: by its envelope, or by what the file says of itself, as newer clients have it.
pub(crate) fn view_once(message: &Message) -> bool {
    let enveloped = layers(message).any(|layer| {
        layer.view_once_message.is_set()
            || layer.view_once_message_v2.is_set()
            || layer.view_once_message_v2_extension.is_set()
    });
    let message = inner(message);
    let said = None
        .or_else(|| message.image_message.as_option()?.view_once)
        .or_else(|| message.video_message.as_option()?.view_once)
        .or_else(|| message.ptv_message.as_option()?.view_once)
        .or_else(|| message.audio_message.as_option()?.view_once);
    enveloped || said == Some(true)
}

/// With what votes on a poll and answers to an event are encrypted. It stands beside an envelope or within.
pub(crate) fn secret(message: &Message) -> Option<&[u8]> {
    layers(message).find_map(|layer| layer.message_context_info.as_option()?.message_secret.as_deref())
}
