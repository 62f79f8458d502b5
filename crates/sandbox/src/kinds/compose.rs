//! Makes the message that goes out of what a person writes, as the apps make it.

use buffa::{Message as _, MessageField};
use wacore::secret_enc_addon::ModificationType;
use wacore_binary::Jid;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::event_response_message::EventResponseType as Response;
use waproto::whatsapp::message::pin_in_chat_message::Type as Pin;
use waproto::whatsapp::message::protocol_message::Type;

use super::fields::options;
use super::find::{self, Place};
use super::new_message::{NewContact, NewMessage, needed, seconds};
use super::{option_hash, secrets};
use crate::error::{Failure, Refusal};
use crate::media::Kind as FileKind;
use crate::phone_handle::Recipient;
use crate::phones::{Form, Phone};
use crate::turn::Turn;
use crate::{content, groups, media};

/// Seconds for which a message is pinned when nobody says for how long: 7 days, what the apps suggest.
const PINNED_S: u32 = 7 * 86_400;

/// The message that carries it into the chat.
pub(crate) fn compose(
    turn: &mut Turn<'_>,
    phone: &Phone,
    place: Place<'_>,
    new: &NewMessage,
) -> Result<wa::Message, Failure> {
    let message = match new.r#type.as_str() {
        "text" => text(new),
        "location" => location(new),
        "contact" => contacts(new),
        "poll" => poll(turn, phone, new)?,
        "event" => event(turn, phone, new)?,
        "poll_vote" => return vote(turn, phone, place, new),
        "event_response" => return respond(turn, phone, place, new),
        "reaction" => return react(turn, phone, place, new),
        "edit" => return edit(turn, phone, place, new),
        "delete" => return delete(turn, phone, place, new),
        "pin" => return pin(turn, phone, place, new),
        "unknown" => return unknown(turn, new),
        kind => match FileKind::parse(kind) {
            Some(kind) => media::compose(turn, phone, kind, new)?,
            None => return Err(Refusal::new(422, "not_supported", "no such type").at("/type").into()),
        },
    };
    let context = context(turn, phone, place, new)?;
    Ok(enveloped(new, with_context(message, context)))
}

fn text(new: &NewMessage) -> wa::Message {
    let text = new.text.clone().unwrap_or_default();
    let Some(preview) = &new.preview else { return content::text(&text) };
    let text = wa::message::ExtendedTextMessage {
        text: Some(text),
        matched_text: Some(preview.url.clone()),
        title: preview.title.clone(),
        description: preview.description.clone(),
        ..Default::default()
    };
    wa::Message { extended_text_message: MessageField::some(text), ..Default::default() }
}

fn location(new: &NewMessage) -> wa::Message {
    if new.live == Some(true) {
        let live = wa::message::LiveLocationMessage {
            degrees_latitude: new.latitude,
            degrees_longitude: new.longitude,
            caption: new.caption.clone(),
            sequence_number: Some(1),
            ..Default::default()
        };
        return wa::Message { live_location_message: MessageField::some(live), ..Default::default() };
    }
    let place = wa::message::LocationMessage {
        degrees_latitude: new.latitude,
        degrees_longitude: new.longitude,
        name: new.name.clone(),
        address: new.address.clone(),
        ..Default::default()
    };
    wa::Message { location_message: MessageField::some(place), ..Default::default() }
}

/// One card alone, or several together.
fn contacts(new: &NewMessage) -> wa::Message {
    let mut cards: Vec<_> = new.contacts.iter().flatten().map(card).collect();
    match cards.len() {
        1 => {
            let card = cards.pop().map_or_else(MessageField::none, MessageField::some);
            wa::Message { contact_message: card, ..Default::default() }
        },
        count => {
            let several = wa::message::ContactsArrayMessage {
                display_name: Some(format!("{count} contacts")),
                contacts: cards,
                ..Default::default()
            };
            wa::Message { contacts_array_message: MessageField::some(several), ..Default::default() }
        },
    }
}

fn card(contact: &NewContact) -> wa::message::ContactMessage {
    let vcard = contact.vcard.clone().unwrap_or_else(|| vcard(contact));
    wa::message::ContactMessage {
        display_name: contact.name.clone(),
        vcard: Some(vcard),
        ..Default::default()
    }
}

/// A card as the apps write it (vCard 3.0, RFC 2426); `waid` makes a number one that can be written to.
fn vcard(contact: &NewContact) -> String {
    let escaped =
        |text: &str| text.replace('\\', "\\\\").replace('\n', "\\n").replace(',', "\\,").replace(';', "\\;");
    let name = escaped(contact.name.as_deref().unwrap_or_default());
    let mut lines = vec!["BEGIN:VCARD".to_owned(), "VERSION:3.0".to_owned()];
    lines.extend([format!("N:;{name};;;"), format!("FN:{name}")]);
    lines.extend(contact.organization.iter().map(|organization| format!("ORG:{}", escaped(organization))));
    lines.extend(contact.phones.iter().map(|phone| {
        let digits = phone.trim_start_matches('+');
        format!("TEL;type=CELL;waid={digits}:+{digits}")
    }));
    lines.extend(contact.email.iter().map(|email| format!("EMAIL:{}", escaped(email))));
    lines.push("END:VCARD".to_owned());
    lines.join("\n")
}

/// What others need to answer it unread by the network.
fn answerable(turn: &mut Turn<'_>, phone: &Phone) -> Result<MessageField<wa::MessageContextInfo>, Failure> {
    let secret = secrets::fresh(turn, phone)?;
    Ok(MessageField::some(wa::MessageContextInfo { message_secret: Some(secret), ..Default::default() }))
}

fn poll(turn: &mut Turn<'_>, phone: &Phone, new: &NewMessage) -> Result<wa::Message, Failure> {
    let options = new.options.iter().flatten().map(|option| wa::message::poll_creation_message::Option {
        option_name: Some(option.clone()),
        ..Default::default()
    });
    let choices = new.max_choices.unwrap_or(1);
    let poll = MessageField::some(wa::message::PollCreationMessage {
        name: new.question.clone(),
        options: options.collect(),
        selectable_options_count: Some(choices),
        ..Default::default()
    });
    let mut message = wa::Message { message_context_info: answerable(turn, phone)?, ..Default::default() };
    // As WhatsApp Web does it (GeneratePollCreationMessageProto).
    match choices {
        1 => message.poll_creation_message_v3 = poll,
        _ => message.poll_creation_message = poll,
    }
    Ok(message)
}

fn event(turn: &mut Turn<'_>, phone: &Phone, new: &NewMessage) -> Result<wa::Message, Failure> {
    let location = new.location.as_ref().map(|place| wa::message::LocationMessage {
        degrees_latitude: place.latitude,
        degrees_longitude: place.longitude,
        name: place.name.clone(),
        address: place.address.clone(),
        ..Default::default()
    });
    let event = wa::message::EventMessage {
        is_canceled: Some(new.canceled == Some(true)),
        name: new.name.clone(),
        description: new.description.clone(),
        location: location.map_or_else(MessageField::none, MessageField::some),
        start_time: seconds(new.starts_at.as_ref(), "/starts_at")?,
        end_time: seconds(new.ends_at.as_ref(), "/ends_at")?,
        ..Default::default()
    };
    Ok(wa::Message {
        event_message: MessageField::some(event),
        message_context_info: answerable(turn, phone)?,
        ..Default::default()
    })
}

/// What the message says beside its content; `None` when that is nothing.
fn context(
    turn: &Turn<'_>,
    phone: &Phone,
    place: Place<'_>,
    new: &NewMessage,
) -> Result<Option<wa::ContextInfo>, Failure> {
    let mut context = wa::ContextInfo::default();
    if let Some(target) = &new.target {
        let found = find::required(turn, phone, place, target)?;
        context.stanza_id = Some(target.clone());
        context.participant = Some(found.author.jid(place.form()).to_string());
        context.quoted_message = MessageField::some(quotation(&found.message));
    }
    for person in new.mentions.iter().flatten() {
        context.mentioned_jid.push(mentioned(turn, phone, place, person)?.to_string());
    }
    if new.forwarded == Some(true) || new.forwarding_score.is_some() {
        context.is_forwarded = Some(true);
        context.forwarding_score = Some(new.forwarding_score.unwrap_or(1));
    }
    context.expiration = new.expires_in_s;
    Ok(Some(context).filter(|context| *context != wa::ContextInfo::default()))
}

/// A message as it stands in an answer to it: without envelopes, secrets, and what it says of others.
fn quotation(message: &wa::Message) -> wa::Message {
    let mut quoted = content::inner(message).clone();
    quoted.message_context_info = MessageField::none();
    with_context(quoted, None)
}

/// A person who is mentioned, addressed as others are in the chat. Somebody whom the network does not know has
/// the address that was given.
fn mentioned(turn: &Turn<'_>, phone: &Phone, place: Place<'_>, person: &str) -> Result<Jid, Failure> {
    let Recipient::Person { user, form } = Recipient::parse(person).map_err(|wrong| wrong.at("/mentions"))?
    else {
        return Err(Refusal::field("/mentions", "people, not groups").into());
    };
    let jid = match form {
        Form::Pn => Jid::pn(user.as_str()),
        Form::Lid => Jid::lid(user.as_str()),
    };
    Ok(crate::phones::by_jid(turn, phone.network, &jid)?.map_or(jid, |known| known.jid(place.form())))
}

/// The message with this context in place of its own. A text that has one is of another type.
fn with_context(mut message: wa::Message, context: Option<wa::ContextInfo>) -> wa::Message {
    if context.is_some()
        && let Some(text) = message.conversation.take()
    {
        let text = wa::message::ExtendedTextMessage { text: Some(text), ..Default::default() };
        message.extended_text_message = MessageField::some(text);
    }
    // The messages share this field, but no type.
    macro_rules! put {
        ($($kind:ident),+) => {
            $(if let Some(content) = message.$kind.as_option_mut() {
                content.context_info = context.clone().map_or_else(MessageField::none, MessageField::some);
            })+
        };
    }
    put!(
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
        poll_creation_message_v5,
        poll_creation_message_v6,
        event_message
    );
    message
}

/// In the envelopes of the apps: a document with a caption, then what is shown once, then what disappears. What is
/// not the content stays outside of all of them.
fn enveloped(new: &NewMessage, mut message: wa::Message) -> wa::Message {
    let beside = std::mem::replace(&mut message.message_context_info, MessageField::none());
    let envelope = |message| {
        MessageField::some(wa::message::FutureProofMessage { message: MessageField::some(message) })
    };
    if new.r#type == "document" && new.caption.is_some() {
        message = wa::Message { document_with_caption_message: envelope(message), ..Default::default() };
    }
    if new.view_once == Some(true) {
        message = match new.r#type.as_str() {
            "voice" => {
                wa::Message { view_once_message_v2_extension: envelope(message), ..Default::default() }
            },
            _ => wa::Message { view_once_message_v2: envelope(message), ..Default::default() },
        };
    }
    if new.expires_in_s.is_some() {
        message = wa::Message { ephemeral_message: envelope(message), ..Default::default() };
    }
    wa::Message { message_context_info: beside, ..message }
}

/// The id of the message that it is about, and that message.
fn about<'n>(
    turn: &Turn<'_>,
    phone: &Phone,
    place: Place<'_>,
    new: &'n NewMessage,
) -> Result<(&'n str, find::Found), Failure> {
    let target = needed(new.target.as_deref(), "/target")?;
    Ok((target, find::required(turn, phone, place, target)?))
}

fn react(turn: &Turn<'_>, phone: &Phone, place: Place<'_>, new: &NewMessage) -> Result<wa::Message, Failure> {
    let (target, found) = about(turn, phone, place, new)?;
    let reaction = wa::message::ReactionMessage {
        key: MessageField::some(found.key(place, target)),
        text: new.text.clone(),
        sender_timestamp_ms: Some(turn.now),
        ..Default::default()
    };
    Ok(wa::Message { reaction_message: MessageField::some(reaction), ..Default::default() })
}

fn protocol(protocol: wa::message::ProtocolMessage) -> wa::Message {
    wa::Message { protocol_message: MessageField::some(protocol), ..Default::default() }
}

/// Another text, or another caption under the same file.
fn edit(turn: &Turn<'_>, phone: &Phone, place: Place<'_>, new: &NewMessage) -> Result<wa::Message, Failure> {
    let (target, found) = about(turn, phone, place, new)?;
    if !found.own {
        return Err(Refusal::field("/target", "a phone edits what it sent itself").into());
    }
    let mut edited = quotation(&found.message);
    if let Some(image) = edited.image_message.as_option_mut() {
        image.caption = new.text.clone();
    } else if let Some(video) = edited.video_message.as_option_mut() {
        video.caption = new.text.clone();
    } else if let Some(document) = edited.document_message.as_option_mut() {
        document.caption = new.text.clone();
    } else if content::kind(&edited) == "text" {
        edited = content::text(new.text.as_deref().unwrap_or_default());
    } else {
        return Err(Refusal::field("/target", "texts and captions are edited").into());
    }
    Ok(protocol(wa::message::ProtocolMessage {
        key: MessageField::some(found.key(place, target)),
        r#type: Some(Type::MESSAGE_EDIT),
        edited_message: MessageField::some(edited),
        timestamp_ms: Some(turn.now),
        ..Default::default()
    }))
}

/// Whoever wrote a message takes it back, and a group's admin anybody's.
fn delete(
    turn: &Turn<'_>,
    phone: &Phone,
    place: Place<'_>,
    new: &NewMessage,
) -> Result<wa::Message, Failure> {
    let (target, found) = about(turn, phone, place, new)?;
    let allowed = match place {
        _ if found.own => true,
        Place::Person { .. } => false,
        Place::Group(group) => groups::is_admin(turn, group, phone.id)?,
    };
    if !allowed {
        let detail = "a phone deletes what it sent itself, and as a group's admin what is in the group";
        return Err(Refusal::field("/target", detail).into());
    }
    Ok(protocol(wa::message::ProtocolMessage {
        key: MessageField::some(found.key(place, target)),
        r#type: Some(Type::REVOKE),
        ..Default::default()
    }))
}

fn pin(turn: &Turn<'_>, phone: &Phone, place: Place<'_>, new: &NewMessage) -> Result<wa::Message, Failure> {
    let (target, found) = about(turn, phone, place, new)?;
    let pinned = new.pinned != Some(false);
    if !pinned && new.for_s.is_some() {
        return Err(Refusal::field("/for_s", "of what is pinned").into());
    }
    let pin = wa::message::PinInChatMessage {
        key: MessageField::some(found.key(place, target)),
        r#type: Some(if pinned { Pin::PIN_FOR_ALL } else { Pin::UNPIN_FOR_ALL }),
        sender_timestamp_ms: Some(turn.now),
    };
    let lasts = wa::MessageContextInfo {
        message_add_on_duration_in_secs: Some(if pinned { new.for_s.unwrap_or(PINNED_S) } else { 0 }),
        ..Default::default()
    };
    Ok(wa::Message {
        pin_in_chat_message: MessageField::some(pin),
        message_context_info: MessageField::some(lasts),
        ..Default::default()
    })
}

fn vote(
    turn: &mut Turn<'_>,
    phone: &Phone,
    place: Place<'_>,
    new: &NewMessage,
) -> Result<wa::Message, Failure> {
    let (target, found) = about(turn, phone, place, new)?;
    let poll = content::poll(content::inner(&found.message))
        .ok_or_else(|| Refusal::field("/target", "this message is no poll"))?;
    let chosen: Vec<_> = new.options.iter().flatten().collect();
    if !chosen.iter().all(|chosen| options(poll).any(|option| option == chosen.as_str())) {
        return Err(Refusal::field("/options", "options of the poll").into());
    }
    let most = usize::try_from(poll.selectable_options_count.unwrap_or(0)).unwrap_or(usize::MAX);
    if most > 0 && chosen.len() > most {
        return Err(Refusal::field("/options", format!("up to {most} of them")).into());
    }
    let vote = wa::message::PollVoteMessage {
        selected_options: chosen.into_iter().map(|option| option_hash(option)).collect(),
    };
    let (purpose, plain) = (ModificationType::PollVote, vote.encode_to_vec());
    let sealed = secrets::seal(turn, phone, &found, target, place.form(), purpose, &plain)?;
    let vote = wa::message::PollEncValue { enc_payload: Some(sealed.payload), enc_iv: Some(sealed.iv) };
    let update = wa::message::PollUpdateMessage {
        poll_creation_message_key: MessageField::some(found.key(place, target)),
        vote: MessageField::some(vote),
        sender_timestamp_ms: Some(turn.now),
        ..Default::default()
    };
    Ok(wa::Message { poll_update_message: MessageField::some(update), ..Default::default() })
}

fn respond(
    turn: &mut Turn<'_>,
    phone: &Phone,
    place: Place<'_>,
    new: &NewMessage,
) -> Result<wa::Message, Failure> {
    let (target, found) = about(turn, phone, place, new)?;
    if content::kind(content::inner(&found.message)) != "event" {
        return Err(Refusal::field("/target", "this message is no event").into());
    }
    let response = wa::message::EventResponseMessage {
        response: Some(match new.response.as_deref() {
            Some("going") => Response::GOING,
            Some("not_going") => Response::NOT_GOING,
            _ => Response::MAYBE,
        }),
        timestamp_ms: Some(turn.now),
        ..Default::default()
    };
    let (purpose, plain) = (ModificationType::EventResponse, response.encode_to_vec());
    let sealed = secrets::seal(turn, phone, &found, target, place.form(), purpose, &plain)?;
    let response = wa::message::EncEventResponseMessage {
        event_creation_message_key: MessageField::some(found.key(place, target)),
        enc_payload: Some(sealed.payload),
        enc_iv: Some(sealed.iv),
    };
    Ok(wa::Message { enc_event_response_message: MessageField::some(response), ..Default::default() })
}

/// A message that the public API has no word for, so that it can be seen what becomes of one.
fn unknown(turn: &Turn<'_>, new: &NewMessage) -> Result<wa::Message, Failure> {
    /// When such an invitation ends: 3 days, in seconds.
    const INVITED_S: i64 = 3 * 86_400;
    let until = Some(turn.now / 1_000 + INVITED_S);
    let mut message = wa::Message::default();
    match new.raw_type.as_deref() {
        Some("paymentInviteMessage") => {
            message.payment_invite_message = MessageField::some(wa::message::PaymentInviteMessage {
                expiry_timestamp: until,
                ..Default::default()
            });
        },
        Some("newsletterAdminInviteMessage") => {
            message.newsletter_admin_invite_message =
                MessageField::some(wa::message::NewsletterAdminInviteMessage {
                    newsletter_jid: Some("120363000000000000@newsletter".to_owned()),
                    newsletter_name: Some("News".to_owned()),
                    invite_expiration: until,
                    ..Default::default()
                });
        },
        _ => {
            let known = "paymentInviteMessage or newsletterAdminInviteMessage";
            return Err(Refusal::field("/raw_type", known).into());
        },
    }
    Ok(message)
}
