//! Addresses.

use wacore::types::message::MessageSource;
use wacore_binary::{Jid as LibraryJid, Server};
use waxwing_domain::{Jid, Lid, Person, PhoneNumber};

use crate::store::SignalState;

/// Which of a person's addresses belong together, as far as it was learnt.
pub(crate) trait KnownAddresses: Send + Sync {
    /// The hidden user of a phone number.
    fn lid_of(&self, phone: &PhoneNumber) -> Option<Lid>;
    /// The phone number of a hidden user.
    fn phone_of(&self, lid: &Lid) -> Option<PhoneNumber>;
}

impl KnownAddresses for SignalState {
    fn lid_of(&self, phone: &PhoneNumber) -> Option<Lid> {
        self.lid_of(phone)
    }

    fn phone_of(&self, lid: &Lid) -> Option<PhoneNumber> {
        self.phone_of(lid)
    }
}

/// Our address as the library's.
pub(crate) fn to_library(jid: &Jid) -> LibraryJid {
    match jid {
        Jid::Phone(number) => LibraryJid::new(number.digits(), Server::Pn),
        Jid::Lid(lid) => LibraryJid::new(lid.digits(), Server::Lid),
        Jid::Group(user) => LibraryJid::new(user.as_str(), Server::Group),
        Jid::Newsletter(user) => LibraryJid::new(user.as_str(), Server::Newsletter),
        Jid::Broadcast(user) => LibraryJid::new(user.as_str(), Server::Broadcast),
    }
}

/// The library's address as ours, without its device part; `None` for kinds that we have no address for.
pub(crate) fn from_library(jid: &LibraryJid) -> Option<Jid> {
    let user = jid.user.as_str();
    match jid.server {
        Server::Pn | Server::Hosted | Server::Legacy => PhoneNumber::parse(user).ok().map(Jid::Phone),
        Server::Lid | Server::HostedLid => Lid::parse(user).ok().map(Jid::Lid),
        Server::Group => Some(Jid::Group(user.to_owned())),
        Server::Newsletter => Some(Jid::Newsletter(user.to_owned())),
        Server::Broadcast => Some(Jid::Broadcast(user.to_owned())),
        _ => None,
    }
}

/// Everybody behind an address: both of a person's addresses, from the stanza and from what was learnt before.
pub(crate) fn person(
    jid: &LibraryJid,
    other: Option<&LibraryJid>,
    state: &dyn KnownAddresses,
) -> Option<Person> {
    let other = other.and_then(from_library);
    let (jid, other) = match from_library(jid) {
        Some(jid) => (jid, other),
        None => (other?, None),
    };
    let other = other.filter(|other| *other != jid).or_else(|| match &jid {
        Jid::Phone(number) => state.lid_of(number).map(Jid::Lid),
        Jid::Lid(lid) => state.phone_of(lid).map(Jid::Phone),
        _ => None,
    });
    Some(Person::canonical(jid, other))
}

/// The conversation and the sender of a stanza.
pub(crate) fn parties(source: &MessageSource, state: &dyn KnownAddresses) -> Option<(Person, Person)> {
    let from = person(&source.sender, source.sender_alt.as_ref(), state)?;
    let chat_is_sender = source.chat.user == source.sender.user && source.chat.server == source.sender.server;
    let chat = if chat_is_sender {
        from.clone()
    } else if source.is_from_me {
        person(&source.chat, source.recipient_alt.as_ref(), state)?
    } else {
        person(&source.chat, None, state)?
    };
    Some((chat, from))
}

/// Nothing was learnt yet.
#[cfg(test)]
pub(crate) struct NothingKnown;

#[cfg(test)]
impl KnownAddresses for NothingKnown {
    fn lid_of(&self, _phone: &PhoneNumber) -> Option<Lid> {
        None
    }

    fn phone_of(&self, _lid: &Lid) -> Option<PhoneNumber> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_there_and_back() {
        for text in [
            "15550001111@s.whatsapp.net",
            "900000000000001@lid",
            "120363000000000001@g.us",
            "120363@newsletter",
        ] {
            let jid = Jid::parse(text).unwrap();
            assert_eq!(from_library(&to_library(&jid)), Some(jid));
        }
        let status = Jid::parse("status@broadcast").unwrap();
        assert_eq!(from_library(&to_library(&status)), Some(status));
    }

    #[test]
    fn a_device_is_the_person_that_owns_it() {
        let device = LibraryJid::pn_device("15550001111", 12);
        assert_eq!(from_library(&device), Some(Jid::parse("15550001111@s.whatsapp.net").unwrap()));
    }

    #[test]
    fn what_has_no_address_here_is_none() {
        assert_eq!(from_library(&LibraryJid::new("131655500000000", Server::Bot)), None);
        assert_eq!(from_library(&LibraryJid::pn("0")), None);
    }
}
