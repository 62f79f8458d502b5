//! What a message says beside its content: WhatsApp's `contextInfo`.

use buffa::MessageField;
use wacore_binary::Jid as LibraryJid;
use waproto::whatsapp as wa;
use waxwing_domain::{
    Context, Person, Text,
    context::{MENTIONS_MAX, QUOTE_CHARS_MAX, Quoted},
};

use super::{
    address::{KnownAddresses, person},
    content, to_library,
};

macro_rules! context_fields {
    ($message:expr, $($field:ident),+ $(,)?) => {
        $(if let Some(content) = $message.$field.as_option() { return Some(&content.context_info); })+
    };
}

/// The context of the content that the message carries.
fn context_info(message: &wa::Message) -> Option<&MessageField<wa::ContextInfo>> {
    context_fields!(
        message,
        extended_text_message,
        image_message,
        video_message,
        ptv_message,
        audio_message,
        document_message,
        sticker_message,
        location_message,
        live_location_message,
        contact_message,
        contacts_array_message,
        poll_creation_message,
        poll_creation_message_v2,
        poll_creation_message_v3,
        event_message,
    );
    None
}

/// What the message, out of its wrappers, says beside its content.
pub(crate) fn from_proto(message: &wa::Message, view_once: bool, state: &dyn KnownAddresses) -> Context {
    let known = |jid: &str| person(&jid.parse::<LibraryJid>().ok()?, None, state);
    let Some(info) = context_info(message).and_then(|info| info.as_option()) else {
        return Context { view_once, ..Context::default() };
    };
    let quoted = info.stanza_id.clone().filter(|id| !id.is_empty()).map(|whatsapp_id| {
        let quoted = info.quoted_message.as_option().and_then(content::from_proto);
        let text = quoted.as_ref().and_then(|content| content.text());
        Quoted {
            message_id: None,
            whatsapp_id,
            from: info.participant.as_deref().and_then(known),
            kind: quoted.as_ref().map(|content| content.kind().to_owned()),
            text: text.map(|text| Text(text.chars().take(QUOTE_CHARS_MAX).collect())),
        }
    });
    let score = info.forwarding_score.unwrap_or(0);
    Context {
        quoted,
        mentions: info.mentioned_jid.iter().take(MENTIONS_MAX).filter_map(|jid| known(jid)).collect(),
        forwarding_score: if info.is_forwarded == Some(true) { score.max(1) } else { score },
        view_once,
        disappears_in_s: info.expiration.filter(|seconds| *seconds > 0),
    }
}

/// Our context as WhatsApp's; `None` where there is nothing to say. `me` is the session's own person, who wrote what nobody
/// else did.
fn to_proto(context: &Context, me: Option<&Person>) -> Option<wa::ContextInfo> {
    if context.is_empty() {
        return None;
    }
    let Context { quoted, mentions, forwarding_score, disappears_in_s, .. } = context;
    let mut info = wa::ContextInfo {
        mentioned_jid: mentions.iter().map(|person| to_library(&person.jid).to_string()).collect(),
        expiration: *disappears_in_s,
        ..Default::default()
    };
    if *forwarding_score > 0 {
        (info.forwarding_score, info.is_forwarded) = (Some(*forwarding_score), Some(true));
    }
    if let Some(quoted) = quoted {
        let author = quoted.from.as_ref().or(me);
        let text = quoted.text.as_ref().map(|text| text.0.clone());
        info.stanza_id = Some(quoted.whatsapp_id.clone());
        info.participant = author.map(|author| to_library(&author.jid).to_string());
        // Apps show the original where they have it, and this where they do not.
        info.quoted_message = MessageField::some(wa::Message {
            conversation: text.or(Some(String::new())),
            ..Default::default()
        });
    }
    Some(info)
}

macro_rules! set_context {
    ($message:expr, $info:expr, $($field:ident),+ $(,)?) => {
        $(if let Some(content) = $message.$field.as_option_mut() {
            content.context_info = $info;
            return;
        })+
    };
}

/// Adds the context to the content that the message carries.
pub(super) fn add(message: &mut wa::Message, context: &Context, me: Option<&Person>) {
    let Some(info) = to_proto(context, me) else { return };
    // Plain text has no room for it.
    if let Some(text) = message.conversation.take() {
        let body = wa::message::ExtendedTextMessage { text: Some(text), ..Default::default() };
        message.extended_text_message = MessageField::some(body);
    }
    let info = MessageField::some(info);
    set_context!(
        message,
        info,
        extended_text_message,
        location_message,
        contact_message,
        contacts_array_message,
        poll_creation_message,
        poll_creation_message_v3,
        event_message,
    );
}

#[cfg(test)]
mod tests {
    use waxwing_domain::{Content, Jid};

    use super::*;
    use crate::convert::address::NothingKnown;

    fn ada() -> Person {
        Person::from_jid(Jid::parse("15550001111@s.whatsapp.net").unwrap())
    }

    #[test]
    fn answers_mentions_and_marks_go_there_and_back() {
        let quoted = Quoted {
            message_id: None,
            whatsapp_id: "3EB0AA".to_owned(),
            from: Some(ada()),
            kind: Some("text".to_owned()),
            text: Some(Text("Red or white?".to_owned())),
        };
        let context = Context {
            quoted: Some(quoted),
            mentions: vec![ada()],
            forwarding_score: 2,
            view_once: false,
            disappears_in_s: Some(86_400),
        };
        let mut message =
            content::to_proto(&Content::Text { text: Text("Red".to_owned()), link_preview: true }).unwrap();
        add(&mut message, &context, None);
        assert_eq!(content::from_proto(&message).unwrap().text(), Some("Red"));
        assert_eq!(from_proto(&message, false, &NothingKnown), context);
    }

    #[test]
    fn an_own_message_is_quoted_as_ones_own() {
        let quoted =
            Quoted { message_id: None, whatsapp_id: "3EB0AA".to_owned(), from: None, kind: None, text: None };
        let context = Context { quoted: Some(quoted), ..Context::default() };
        let info = to_proto(&context, Some(&ada())).unwrap();
        assert_eq!(info.participant.as_deref(), Some("15550001111@s.whatsapp.net"));
        assert!(to_proto(&Context::default(), None).is_none());
    }
}
