//! Cards of an address book. They travel as vCards (RFC 6350; WhatsApp's own apps write version 3.0, RFC 2426).

use serde::{Deserialize, Serialize};
use vobject::{Component, Property, parse_component, write_component};

use super::{InvalidContent, check_line, check_lines, invalid};
use crate::{PhoneNumber, Text};

/// Most cards of one message.
pub const CONTACTS_MAX: usize = 20;
/// Most phone numbers that are read from one card.
pub const PHONES_MAX: usize = 20;
/// Largest card, in bytes: twenty of them fit into one item of DynamoDB.
pub const VCARD_BYTES_MAX: usize = 12 * 1_024;

/// A card: what is read from it, and the card itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactCard {
    /// Who it is.
    pub name: Text,
    /// The phone numbers, as they stand in the card.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<Text>,
    /// For whom the person works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<Text>,
    /// The first mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Text>,
    /// The card.
    pub vcard: Text,
}

impl ContactCard {
    /// The card of a person. A number that WhatsApp may know is written with its WhatsApp id, so that apps offer to write
    /// to it.
    pub fn new(name: Text, phones: Vec<Text>, organization: Option<Text>, email: Option<Text>) -> Self {
        let mut card = Component::new("VCARD");
        card.push(Property::new("VERSION", "3.0"));
        card.push(Property::new("FN", &name.0));
        // All in the first of the five parts of a structured name; semicolons of its own are escaped.
        let mut structured = Property::new("N", &name.0);
        structured.raw_value.push_str(";;;;");
        card.push(structured);
        for phone in &phones {
            let mut number = Property::new("TEL", &phone.0);
            number.params.insert("TYPE".to_owned(), "CELL".to_owned());
            if let Ok(known) = PhoneNumber::parse(&phone.0) {
                number.params.insert("waid".to_owned(), known.digits().to_owned());
            }
            card.push(number);
        }
        for (property, value) in [("ORG", &organization), ("EMAIL", &email)] {
            if let Some(value) = value {
                card.push(Property::new(property, &value.0));
            }
        }
        let vcard = Text(write_component(&card));
        Self { name, phones, organization, email, vcard }
    }

    /// Reads a card. `named` is the name that came beside it, for a card that has none.
    pub fn parse(vcard: Text, named: Option<Text>) -> Result<Self, InvalidContent> {
        if vcard.0.len() > VCARD_BYTES_MAX {
            return invalid("/vcard", format!("expected at most {VCARD_BYTES_MAX} bytes"));
        }
        let card = match unfolded(&vcard.0).map(|lines| parse_component(&lines)) {
            Some(Ok(card)) if card.name.eq_ignore_ascii_case("VCARD") => card,
            _ => return invalid("/vcard", "expected one vCard, from BEGIN:VCARD to END:VCARD"),
        };
        let of = |name: &str| all(&card, name).into_iter().next();
        let structured = || of("N").map(|name| Text(name.0.split(';').rev().collect::<Vec<_>>().join(" ")));
        let name = of("FN").or(named).or_else(structured).map(|name| Text(name.0.trim().to_owned()));
        let Some(name) = name.filter(|name| !name.0.is_empty()) else {
            return invalid("/vcard", "expected a card with a name (FN)");
        };
        let mut phones = all(&card, "TEL");
        phones.truncate(PHONES_MAX);
        Ok(Self { name, phones, organization: of("ORG"), email: of("EMAIL"), vcard })
    }

    fn check(&self) -> Result<(), InvalidContent> {
        check_line("/name", &self.name)?;
        if self.phones.len() > PHONES_MAX {
            return invalid("/phones", format!("expected at most {PHONES_MAX}"));
        }
        self.phones.iter().enumerate().try_for_each(|(index, phone)| {
            match phone.0.contains(['\r', '\n']) {
                true => invalid(format!("/phones/{index}"), "expected one line"),
                false => check_line(&format!("/phones/{index}"), phone),
            }
        })?;
        check_lines([("/organization", self.organization.as_ref()), ("/email", self.email.as_ref())])?;
        match self.vcard.0.len() <= VCARD_BYTES_MAX {
            true => Ok(()),
            false => invalid("/vcard", format!("expected at most {VCARD_BYTES_MAX} bytes")),
        }
    }
}

/// The card's lines, whole, and none empty; `None` where one part stands in another. The parser calls itself for each folded or
/// empty line and for each part, and cards come from strangers.
fn unfolded(vcard: &str) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in vcard.split(['\r', '\n']).filter(|line| !line.trim().is_empty()) {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(before)) => before.push_str(rest),
            _ => lines.push(line.trim_start().to_owned()),
        }
    }
    let parts =
        lines.iter().filter(|line| line.get(..6).is_some_and(|name| name.eq_ignore_ascii_case("BEGIN:")));
    (parts.count() == 1).then(|| lines.join("\n"))
}

/// The values of a property, whatever the case of its name.
fn all(card: &Component, name: &str) -> Vec<Text> {
    let named = card.props.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    let values = named.flat_map(|(_, properties)| properties).map(Property::value_as_string);
    values.filter(|value| !value.trim().is_empty()).map(Text).collect()
}

pub(super) fn check(contacts: &[ContactCard]) -> Result<(), InvalidContent> {
    if !(1..=CONTACTS_MAX).contains(&contacts.len()) {
        return invalid("/contacts", format!("expected 1 to {CONTACTS_MAX} contacts"));
    }
    contacts.iter().enumerate().try_for_each(|(index, contact)| {
        contact.check().map_err(|InvalidContent { field, expected }| InvalidContent {
            field: format!("/contacts/{index}{field}"),
            expected,
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Text {
        Text(text.to_owned())
    }

    #[test]
    fn a_card_is_read_as_it_was_written() {
        let card = ContactCard::new(
            text("Ada; Countess, of Lovelace"),
            vec![text("+15550001111"), text("+49 30 123456")],
            Some(text("Engines\\Analytical")),
            Some(text("ada@example.com")),
        );
        assert!(card.vcard.0.contains("waid=15550001111:+15550001111"), "{}", card.vcard.0);
        assert_eq!(ContactCard::parse(card.vcard.clone(), None), Ok(card));
    }

    #[test]
    fn cards_of_phones_are_read() {
        let vcard = "BEGIN:VCARD\nVERSION:3.0\nN:Lovelace;Ada;;;\nFN:Ada Lovelace\n\
                     item1.TEL;type=CELL;waid=15550001111:+1 555 000-1111\nitem1.X-ABLabel:Mobile\nEND:VCARD";
        let card = ContactCard::parse(text(vcard), None).unwrap();
        assert_eq!((&*card.name.0, &*card.phones[0].0), ("Ada Lovelace", "+1 555 000-1111"));
        let unnamed = "BEGIN:VCARD\r\nVERSION:3.0\r\nTEL:+15550001111\r\nEND:VCARD\r\n";
        assert_eq!(ContactCard::parse(text(unnamed), Some(text("Ada"))).unwrap().name, text("Ada"));
        assert_eq!(ContactCard::parse(text(unnamed), None).unwrap_err().field, "/vcard");
        assert_eq!(ContactCard::parse(text("Ada"), None).unwrap_err().field, "/vcard");
    }

    #[test]
    fn a_message_has_one_to_twenty_cards() {
        let card = ContactCard::new(text("Ada"), vec![text("+15550001111")], None, None);
        assert_eq!(check(std::slice::from_ref(&card)), Ok(()));
        assert_eq!(check(&[]).unwrap_err().field, "/contacts");
        assert_eq!(check(&vec![card.clone(); 21]).unwrap_err().field, "/contacts");
        let broken = ContactCard { phones: vec![text("1\nEND:VCARD")], ..card.clone() };
        assert_eq!(check(&[card, broken]).unwrap_err().field, "/contacts/1/phones/0");
    }

    #[test]
    fn folded_lines_are_one_and_neither_empty_lines_nor_parts_go_deep() {
        let folded = "BEGIN:VCARD\r\nFN:Ada\r\n  Lovelace\r\nEND:VCARD";
        assert_eq!(ContactCard::parse(text(folded), None).unwrap().name, text("Ada Lovelace"));
        let empty = format!("BEGIN:VCARD\nFN:Ada{}\nEND:VCARD", "\n".repeat(12_000));
        assert_eq!(ContactCard::parse(text(&empty), None).unwrap().name, text("Ada"));
        let spaces = format!("BEGIN:VCARD\nFN:Ada{}\nEND:VCARD", "\n ".repeat(6_000));
        assert_eq!(ContactCard::parse(text(&spaces), None).unwrap().name, text("Ada"));
        let nested = "BEGIN:\n".repeat(1_700);
        assert_eq!(ContactCard::parse(text(&nested), None).unwrap_err().field, "/vcard");
    }

    proptest! {
        #[test]
        fn any_text_is_a_card_or_none(vcard in "(\\PC|[\r\n\t :;]|BEGIN:|VCARD|END:){0,200}") {
            let _ = ContactCard::parse(Text(vcard), None);
        }

        #[test]
        fn any_name_comes_back(name in "[^\\p{Cc}\\\\]{1,60}") {
            prop_assume!(name.trim() == name);
            let card = ContactCard::new(Text(name.clone()), Vec::new(), None, None);
            prop_assert_eq!(ContactCard::parse(card.vcard, None).unwrap().name.0, name);
        }
    }
}
