//! Content.

use waproto::whatsapp as wa;
use waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use waxwing_domain::{Content, Text};

use super::{fields, kinds};
use crate::outgoing::SendError;

/// Deepest nesting of wrappers that is followed; WhatsApp's own clients use three.
const WRAPPERS_MAX: usize = 8;

/// The message out of its wrappers, and whether it may be looked at once.
pub(crate) fn inner(message: &wa::Message) -> (&wa::Message, bool) {
    let (mut inner, mut view_once) = (message, false);
    for _ in 0..WRAPPERS_MAX {
        let once =
            [&inner.view_once_message, &inner.view_once_message_v2, &inner.view_once_message_v2_extension];
        view_once |= once.iter().any(|wrapper| wrapper.is_set());
        match unwrap(inner) {
            Some(next) => inner = next,
            None => break,
        }
    }
    (inner, view_once)
}

/// What a message says; `None` when it is part of the protocol and says nothing to its user.
pub(crate) fn from_proto(message: &wa::Message) -> Option<Content> {
    let (inner, _) = inner(message);
    let text = inner.conversation.as_deref().filter(|text| !text.is_empty());
    let text = text.or_else(|| inner.extended_text_message.as_option().and_then(|body| body.text.as_deref()));
    if let Some(text) = text {
        return Some(Content::Text { text: Text(text.to_owned()), link_preview: true });
    }
    if let Some(content) = kinds::from_proto(inner).filter(|content| !content.is_too_large()) {
        return Some(content);
    }
    if let Some(protocol) = inner.protocol_message.as_option() {
        return protocol_content(protocol);
    }
    match fields::first_set(inner) {
        Some(name) => Some(Content::Unsupported { raw_type: name.to_owned() }),
        None if carries_keys_only(inner) => None,
        // A field that is newer than the library's copy of the protocol.
        None => Some(Content::Unsupported { raw_type: "unknown".to_owned() }),
    }
}

/// The message inside a wrapper.
fn unwrap(message: &wa::Message) -> Option<&wa::Message> {
    if let Some(own) = message.device_sent_message.as_option() {
        return own.message.as_option();
    }
    let wrappers = [
        &message.ephemeral_message,
        &message.view_once_message,
        &message.view_once_message_v2,
        &message.view_once_message_v2_extension,
        &message.document_with_caption_message,
        &message.group_mentioned_message,
        &message.edited_message,
    ];
    wrappers.into_iter().find_map(|wrapper| wrapper.as_option()?.message.as_option())
}

/// True for a message that only hands out group keys.
fn carries_keys_only(message: &wa::Message) -> bool {
    message.sender_key_distribution_message.is_set()
        || message.fast_ratchet_key_sender_key_distribution_message.is_set()
}

/// What a user sees of a protocol message: that something was deleted, edited, or set. The rest is between devices.
fn protocol_content(protocol: &wa::message::ProtocolMessage) -> Option<Content> {
    let name = match protocol.r#type {
        Some(ProtocolType::REVOKE) => "revoke",
        Some(ProtocolType::MESSAGE_EDIT) => "messageEdit",
        Some(ProtocolType::EPHEMERAL_SETTING) => "ephemeralSetting",
        Some(ProtocolType::SHARE_PHONE_NUMBER) => "sharePhoneNumber",
        Some(ProtocolType::LIMIT_SHARING) => "limitSharing",
        Some(ProtocolType::GROUP_MEMBER_LABEL_CHANGE) => "groupMemberLabelChange",
        _ => return None,
    };
    Some(Content::Unsupported { raw_type: format!("protocolMessage.{name}") })
}

/// Our content as WhatsApp's.
pub(crate) fn to_proto(content: &Content) -> Result<wa::Message, SendError> {
    match content {
        // The official clients write plain text like this, and use extendedTextMessage where there is more than text.
        Content::Text { text, .. } => {
            Ok(wa::Message { conversation: Some(text.0.clone()), ..Default::default() })
        },
        Content::Location(place) => Ok(kinds::place_to_proto(place)),
        Content::Contact { contacts } => Ok(kinds::contacts_to_proto(contacts)),
        Content::Poll(poll) => Ok(kinds::poll_to_proto(poll)),
        Content::Event(event) => Ok(kinds::event_to_proto(event)),
        Content::Unsupported { raw_type } => {
            Err(SendError::Invalid(format!("content of the kind {raw_type} can be received and not sent")))
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use buffa::MessageField;

    fn wrap(message: wa::Message) -> MessageField<wa::message::FutureProofMessage> {
        MessageField::some(wa::message::FutureProofMessage { message: MessageField::some(message) })
    }

    fn text(text: &str) -> wa::Message {
        wa::Message { conversation: Some(text.to_owned()), ..Default::default() }
    }

    fn raw_type(message: &wa::Message) -> Option<String> {
        match from_proto(message)? {
            Content::Unsupported { raw_type } => Some(raw_type),
            known => panic!("it is known: {known:?}"),
        }
    }

    #[test]
    fn text_goes_there_and_back() {
        let content = Content::Text { text: Text("hello".to_owned()), link_preview: true };
        assert_eq!(from_proto(&to_proto(&content).unwrap()), Some(content));
    }

    #[test]
    fn extended_text_is_text() {
        let body = wa::message::ExtendedTextMessage { text: Some("hi".to_owned()), ..Default::default() };
        let message = wa::Message { extended_text_message: MessageField::some(body), ..Default::default() };
        assert_eq!(from_proto(&message).unwrap().text(), Some("hi"));
    }

    #[test]
    fn wrappers_are_looked_through() {
        let view_once = wa::Message { view_once_message: wrap(text("once")), ..Default::default() };
        let ephemeral = wa::Message { ephemeral_message: wrap(view_once), ..Default::default() };
        let own =
            wa::message::DeviceSentMessage { message: MessageField::some(ephemeral), ..Default::default() };
        let message = wa::Message { device_sent_message: MessageField::some(own), ..Default::default() };
        assert_eq!(from_proto(&message).unwrap().text(), Some("once"));
    }

    #[test]
    fn what_has_no_kind_here_is_named_after_its_field() {
        let image = MessageField::some(wa::message::ImageMessage::default());
        assert_eq!(
            raw_type(&wa::Message { image_message: image, ..Default::default() }).unwrap(),
            "imageMessage"
        );
        let reaction = MessageField::some(wa::message::ReactionMessage::default());
        let message = wa::Message { reaction_message: reaction, ..Default::default() };
        assert_eq!(raw_type(&message).unwrap(), "reactionMessage");
        assert_eq!(raw_type(&wa::Message::default()).unwrap(), "unknown");
    }

    #[test]
    fn protocol_between_devices_is_no_message_and_a_revoke_is_one() {
        let protocol = |kind| wa::Message {
            protocol_message: MessageField::some(wa::message::ProtocolMessage {
                r#type: Some(kind),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(from_proto(&protocol(ProtocolType::APP_STATE_SYNC_KEY_SHARE)), None);
        assert_eq!(from_proto(&protocol(ProtocolType::HISTORY_SYNC_NOTIFICATION)), None);
        assert_eq!(raw_type(&protocol(ProtocolType::REVOKE)).unwrap(), "protocolMessage.revoke");
    }

    #[test]
    fn group_keys_alone_are_no_message_and_with_text_they_are() {
        let keys = MessageField::some(wa::message::SenderKeyDistributionMessage::default());
        let mut message = wa::Message { sender_key_distribution_message: keys, ..Default::default() };
        assert_eq!(from_proto(&message), None);
        message.conversation = Some("hi".to_owned());
        assert_eq!(from_proto(&message).unwrap().text(), Some("hi"));
    }

    #[test]
    fn content_that_came_in_without_a_kind_is_not_sent() {
        let content = Content::Unsupported { raw_type: "imageMessage".to_owned() };
        assert!(matches!(to_proto(&content), Err(SendError::Invalid(_))));
    }
}
