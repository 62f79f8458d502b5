//! Between WhatsApp's values and ours.

mod address;
mod content;
mod context;
mod fields;
mod kinds;
mod operation;

use wacore::types::message::{EditAttribute, MessageInfo};
use waproto::whatsapp as wa;
use waxwing_domain::{Person, Timestamp};
use whatsapp_rust::types::events::InboundMessage as LibraryMessage;

use crate::inbound::{Inbound, InboundMessage, ObservedOperation};
use crate::outgoing::{Outgoing, OutgoingMessage, SendError};

pub(crate) use address::{KnownAddresses, parties, person, to_library};
pub(crate) use content::from_proto as content_of;

/// What a message says beside its content.
pub(crate) fn context_of(message: &wa::Message, state: &dyn KnownAddresses) -> waxwing_domain::Context {
    let (inner, view_once) = content::inner(message);
    context::from_proto(inner, view_once, state)
}

/// The library's message as ours; `None` where it is no user message but part of the protocol. `me` is the account's owner.
pub(crate) fn inbound(
    message: &LibraryMessage,
    me: Option<&Person>,
    state: &dyn KnownAddresses,
) -> Option<InboundMessage> {
    let info = &message.info;
    let content = content::from_proto(&message.message)?;
    let Some((chat, from)) = parties(&info.source, state) else {
        // A bot, or an account without a phone number's length and without a hidden user: there is no address for it.
        tracing::warn!(whatsapp_id = info.id, "a message from an address of an unknown kind was left out");
        return None;
    };
    let (inner, _) = content::inner(&message.message);
    let from_me = info.source.is_from_me;
    let what = match operation::from_proto(inner, (&chat, &from, from_me), me, state) {
        Some(observed) => {
            let as_admin = info.edit == EditAttribute::AdminRevoke;
            Inbound::Operation(ObservedOperation { as_admin, ..observed }, content)
        },
        None => Inbound::Message { content, context: Box::new(context_of(&message.message, state)) },
    };
    let push_name = Some(info.push_name.clone()).filter(|name| !name.is_empty());
    Some(InboundMessage {
        whatsapp_id: info.id.clone(),
        chat,
        from: from.named(push_name.clone()),
        from_me,
        push_name,
        at: server_time(info)?,
        what,
        was_offline: info.is_offline,
    })
}

/// When the server took the message.
pub(crate) fn server_time(info: &MessageInfo) -> Option<Timestamp> {
    Timestamp::from_millisecond(info.timestamp.timestamp_millis()).ok()
}

/// Our message as WhatsApp's. `me` is the account's owner.
pub(crate) fn outgoing(message: &OutgoingMessage, me: Option<&Person>) -> Result<wa::Message, SendError> {
    let mut proto = match &message.payload {
        Outgoing::Message { content, context } => {
            let mut proto = content::to_proto(content)?;
            context::add(&mut proto, context, me);
            proto
        },
        operation @ Outgoing::Operation { .. } => {
            let unknown = || SendError::Invalid("it does nothing".to_owned());
            // These are not answered, so no secret belongs to them.
            return operation::to_proto(&message.to, operation).ok_or_else(unknown);
        },
    };
    let context = wa::MessageContextInfo {
        message_secret: Some(message.message_secret.to_vec()),
        ..Default::default()
    };
    proto.message_context_info = buffa::MessageField::some(context);
    Ok(proto)
}
