//! The kinds of content that are more than a text.

use buffa::MessageField;
use wa::message::{
    ContactMessage, ContactsArrayMessage, EventMessage, LocationMessage, PollCreationMessage,
    poll_creation_message::Option as PollOption,
};
use waproto::whatsapp as wa;
use waxwing_domain::{
    Content, Text, Timestamp,
    content::{CONTACTS_MAX, CalendarEvent, ContactCard, Degrees, Location, Poll},
};

/// Most options of a poll that are read; WhatsApp's own apps write twelve.
const OPTIONS_READ_MAX: usize = 100;

fn given(text: Option<&String>) -> Option<Text> {
    text.filter(|text| !text.trim().is_empty()).cloned().map(Text)
}

fn angle(degrees: Option<f64>) -> Option<Degrees> {
    Degrees::new(degrees?)
}

/// What the message carries, if it is one of these kinds and complete enough to be shown.
pub(super) fn from_proto(message: &wa::Message) -> Option<Content> {
    let polls = [
        &message.poll_creation_message,
        &message.poll_creation_message_v2,
        &message.poll_creation_message_v3,
    ];
    if let Some(place) = message.location_message.as_option() {
        return location(place);
    }
    if let Some(live) = message.live_location_message.as_option() {
        let (latitude, longitude) = (angle(live.degrees_latitude)?, angle(live.degrees_longitude)?);
        let name = given(live.caption.as_ref());
        return Some(Content::Location(Location { latitude, longitude, name, address: None, live: true }));
    }
    if let Some(card) = message.contact_message.as_option() {
        return Some(Content::Contact { contacts: vec![contact(card)?] });
    }
    if let Some(cards) = message.contacts_array_message.as_option() {
        let contacts: Vec<_> = cards.contacts.iter().take(CONTACTS_MAX).filter_map(contact).collect();
        return (!contacts.is_empty()).then_some(Content::Contact { contacts });
    }
    if let Some(poll) = polls.into_iter().find_map(|poll| poll.as_option()) {
        return Some(Content::Poll(Poll {
            question: Text(poll.name.clone()?),
            options: poll
                .options
                .iter()
                .take(OPTIONS_READ_MAX)
                .filter_map(|option| option.option_name.clone().map(Text))
                .collect(),
            max_choices: poll.selectable_options_count.unwrap_or(0),
        }));
    }
    message.event_message.as_option().and_then(event)
}

fn location(place: &LocationMessage) -> Option<Content> {
    Some(Content::Location(Location {
        latitude: angle(place.degrees_latitude)?,
        longitude: angle(place.degrees_longitude)?,
        name: given(place.name.as_ref()),
        address: given(place.address.as_ref()),
        live: place.is_live.unwrap_or(false),
    }))
}

/// A card that cannot be read is shown by the name beside it.
fn contact(card: &ContactMessage) -> Option<ContactCard> {
    let name = given(card.display_name.as_ref());
    let read = ContactCard::parse(Text(card.vcard.clone().unwrap_or_default()), name.clone());
    read.ok().or_else(|| Some(ContactCard::new(name?, Vec::new(), None, None)))
}

fn event(event: &EventMessage) -> Option<Content> {
    let time = |seconds: Option<i64>| Timestamp::from_second(seconds?).ok();
    Some(Content::Event(CalendarEvent {
        name: given(event.name.as_ref())?,
        starts_at: time(event.start_time)?,
        ends_at: time(event.end_time),
        description: given(event.description.as_ref()),
        location: event.location.as_option().and_then(|place| given(place.name.as_ref())),
        canceled: event.is_canceled.unwrap_or(false),
    }))
}

fn text(text: &Text) -> Option<String> {
    Some(text.0.clone())
}

fn maybe(given: Option<&Text>) -> Option<String> {
    given.and_then(text)
}

pub(super) fn place_to_proto(place: &Location) -> wa::Message {
    let Location { latitude, longitude, name, address, .. } = place;
    let place = LocationMessage {
        degrees_latitude: Some(latitude.degrees()),
        degrees_longitude: Some(longitude.degrees()),
        name: maybe(name.as_ref()),
        address: maybe(address.as_ref()),
        ..Default::default()
    };
    wa::Message { location_message: MessageField::some(place), ..Default::default() }
}

pub(super) fn contacts_to_proto(contacts: &[ContactCard]) -> wa::Message {
    let card = |contact: &ContactCard| ContactMessage {
        display_name: text(&contact.name),
        vcard: text(&contact.vcard),
        ..Default::default()
    };
    match contacts {
        [only] => wa::Message { contact_message: MessageField::some(card(only)), ..Default::default() },
        several => {
            let array = ContactsArrayMessage {
                display_name: several.first().and_then(|first| text(&first.name)),
                contacts: several.iter().map(card).collect(),
                ..Default::default()
            };
            wa::Message { contacts_array_message: MessageField::some(array), ..Default::default() }
        },
    }
}

/// WhatsApp Web writes version 3 where one option may be chosen, and version 1 else.
/// Source: `create_inner` in the client library's `features/polls.rs`, after `GeneratePollCreationMessageProto`.
pub(super) fn poll_to_proto(poll: &Poll) -> wa::Message {
    let option = |name: &Text| PollOption { option_name: text(name), ..Default::default() };
    let creation = MessageField::some(PollCreationMessage {
        name: text(&poll.question),
        options: poll.options.iter().map(option).collect(),
        selectable_options_count: Some(poll.max_choices),
        ..Default::default()
    });
    match poll.max_choices {
        1 => wa::Message { poll_creation_message_v3: creation, ..Default::default() },
        _ => wa::Message { poll_creation_message: creation, ..Default::default() },
    }
}

pub(super) fn event_to_proto(event: &CalendarEvent) -> wa::Message {
    let CalendarEvent { name, starts_at, ends_at, description, location, canceled } = event;
    let place = |name: &Text| LocationMessage { name: text(name), ..Default::default() };
    let event = EventMessage {
        name: text(name),
        description: maybe(description.as_ref()),
        location: location.as_ref().map(place).into(),
        start_time: Some(starts_at.as_second()),
        end_time: ends_at.map(Timestamp::as_second),
        is_canceled: Some(*canceled),
        ..Default::default()
    };
    wa::Message { event_message: MessageField::some(event), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::content;

    fn some(text: &str) -> Option<Text> {
        Some(Text(text.to_owned()))
    }

    fn kinds() -> Vec<Content> {
        let angle = |degrees| Degrees::new(degrees).unwrap();
        let place = Location {
            latitude: angle(52.520_008),
            longitude: angle(-13.404_954),
            name: some("Waxwing"),
            address: some("1 Rowan Lane"),
            live: false,
        };
        let card = |name: &str| {
            ContactCard::new(Text(name.into()), vec![Text("+15550001111".into())], some("O"), None)
        };
        let options = vec![Text("Red".into()), Text("White".into())];
        let poll =
            |max_choices| Poll { question: Text("Which?".into()), options: options.clone(), max_choices };
        let event = CalendarEvent {
            name: Text("Tasting".into()),
            starts_at: Timestamp::from_second(1_800_000_000).unwrap(),
            ends_at: Timestamp::from_second(1_800_003_600).ok(),
            description: some("Bring friends."),
            location: some("1 Rowan Lane"),
            canceled: false,
        };
        vec![
            Content::Location(place.clone()),
            Content::Location(Location { name: None, address: None, ..place }),
            Content::Contact { contacts: vec![card("Ada")] },
            Content::Contact { contacts: vec![card("Ada"), card("Bob")] },
            Content::Poll(poll(1)),
            Content::Poll(poll(0)),
            Content::Event(event.clone()),
            Content::Event(CalendarEvent { ends_at: None, description: None, location: None, ..event }),
        ]
    }

    #[test]
    fn every_kind_goes_there_and_back() {
        for kind in kinds() {
            let proto = content::to_proto(&kind).unwrap();
            assert_eq!(content::from_proto(&proto), Some(kind));
        }
    }

    #[test]
    fn what_lacks_its_core_is_named_and_not_shown() {
        let nowhere = MessageField::some(LocationMessage::default());
        let message = wa::Message { location_message: nowhere, ..Default::default() };
        let named = Content::Unsupported { raw_type: "locationMessage".to_owned() };
        assert_eq!(content::from_proto(&message), Some(named));
    }

    #[test]
    fn a_card_that_cannot_be_read_is_shown_by_its_name() {
        let card = ContactMessage { display_name: Some("Ada".into()), ..Default::default() };
        let message = wa::Message { contact_message: MessageField::some(card), ..Default::default() };
        let Some(Content::Contact { contacts }) = from_proto(&message) else { panic!("no contact") };
        assert_eq!(&*contacts[0].name.0, "Ada");
    }

    #[test]
    fn a_live_location_begins_somewhere() {
        let live = wa::message::LiveLocationMessage {
            degrees_latitude: Some(1.5),
            degrees_longitude: Some(2.5),
            caption: Some("On my way".into()),
            ..Default::default()
        };
        let message = wa::Message { live_location_message: MessageField::some(live), ..Default::default() };
        let Some(Content::Location(place)) = from_proto(&message) else { panic!("no place") };
        assert!(place.live && place.name == some("On my way"));
    }
}
