//! Between WhatsApp's values and ours.

mod address;
mod content;
mod fields;

use wacore::types::message::MessageInfo;
use waproto::whatsapp as wa;
use waxwing_domain::Timestamp;
use whatsapp_rust::types::events::InboundMessage as LibraryMessage;

use crate::inbound::InboundMessage;
use crate::outgoing::{OutgoingMessage, SendError};
use crate::store::SignalState;

pub(crate) use address::{parties, person, to_library};
pub(crate) use content::from_proto as content_of;

/// The library's message as ours; `None` where it is no user message but part of the protocol.
pub(crate) fn inbound(message: &LibraryMessage, state: &SignalState) -> Option<InboundMessage> {
    let info = &message.info;
    let content = content::from_proto(&message.message)?;
    let Some((chat, from)) = parties(&info.source, state) else {
        // A bot, or an account without a phone number's length and without a hidden user: there is no address for it.
        tracing::warn!(whatsapp_id = info.id, "a message from an address of an unknown kind was left out");
        return None;
    };
    let push_name = Some(info.push_name.clone()).filter(|name| !name.is_empty());
    Some(InboundMessage {
        whatsapp_id: info.id.clone(),
        chat,
        from: from.named(push_name.clone()),
        from_me: info.source.is_from_me,
        push_name,
        at: server_time(info)?,
        content,
        was_offline: info.is_offline,
    })
}

/// When the server took the message.
pub(crate) fn server_time(info: &MessageInfo) -> Option<Timestamp> {
    Timestamp::from_millisecond(info.timestamp.timestamp_millis()).ok()
}

/// Our message as WhatsApp's.
pub(crate) fn outgoing(message: &OutgoingMessage) -> Result<wa::Message, SendError> {
    let mut proto = content::to_proto(&message.content)?;
    let context = wa::MessageContextInfo {
        message_secret: Some(message.message_secret.to_vec()),
        ..Default::default()
    };
    proto.message_context_info = buffa::MessageField::some(context);
    Ok(proto)
}
