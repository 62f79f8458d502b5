//! WhatsApp addresses.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::PhoneNumber;

/// Longest user part of a group or newsletter address.
const USER_LEN_MAX: usize = 64;

/// A hidden user: the address WhatsApp uses in place of a phone number (`…@lid`). Digits only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lid(String);

impl Lid {
    /// Reads the digits before `@lid`.
    pub fn parse(digits: &str) -> Result<Self, JidError> {
        let valid = (1..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        valid.then(|| Self(digits.to_owned())).ok_or(JidError::Lid)
    }

    /// The digits, without the server.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Lid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@lid", self.0)
    }
}

impl fmt::Debug for Lid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…{}@lid", &self.0[self.0.len().saturating_sub(2)..])
    }
}

impl Serialize for Lid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let digits = text.strip_suffix("@lid").ok_or_else(|| serde::de::Error::custom(JidError::Lid))?;
        Self::parse(digits).map_err(serde::de::Error::custom)
    }
}

/// An address on WhatsApp, without a device part.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Jid {
    /// A person by phone number: `15550001111@s.whatsapp.net`.
    Phone(PhoneNumber),
    /// A person by hidden user: `…@lid`.
    Lid(Lid),
    /// A group: `…@g.us`. Old groups have a hyphen in the user part.
    Group(String),
    /// A channel: `…@newsletter`.
    Newsletter(String),
    /// A broadcast list, or `status@broadcast`.
    Broadcast(String),
}

/// Why a text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JidError {
    /// No server that WhatsApp knows.
    #[error("expected an address that ends in @s.whatsapp.net, @lid, @g.us or @newsletter")]
    Server,
    /// The part before the server is wrong for that server.
    #[error("the part before the @ is not valid for this kind of address")]
    User,
    /// Not a hidden user.
    #[error("expected digits followed by @lid")]
    Lid,
    /// Neither a phone number nor an address.
    #[error(
        "expected a phone number with country code (8 to 15 digits) or an address such as 15550001111@s.whatsapp.net"
    )]
    Recipient,
}

impl Jid {
    /// Reads an address with its server. A device part (`:12`) is refused: messages go to people, not devices.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        let (user, server) = text.split_once('@').ok_or(JidError::Server)?;
        let id = |extra: &[u8]| {
            let valid = (1..=USER_LEN_MAX).contains(&user.len())
                && user.bytes().all(|byte| byte.is_ascii_digit() || extra.contains(&byte));
            valid.then(|| user.to_owned()).ok_or(JidError::User)
        };
        match server {
            "s.whatsapp.net" => match user.starts_with('+') {
                true => Err(JidError::User),
                false => PhoneNumber::parse(user).map(Self::Phone).map_err(|_| JidError::User),
            },
            "lid" => Lid::parse(user).map(Self::Lid),
            "g.us" => id(b"-").map(Self::Group),
            "newsletter" => id(b"").map(Self::Newsletter),
            "broadcast" if user == "status" => Ok(Self::Broadcast(user.to_owned())),
            "broadcast" => id(b"").map(Self::Broadcast),
            _ => Err(JidError::Server),
        }
    }

    /// The phone number, when the address is one.
    pub fn phone(&self) -> Option<&PhoneNumber> {
        match self {
            Self::Phone(number) => Some(number),
            _ => None,
        }
    }

    /// The hidden user, when the address is one.
    pub fn lid(&self) -> Option<&Lid> {
        match self {
            Self::Lid(lid) => Some(lid),
            _ => None,
        }
    }

    /// True for one person, false for groups, channels and broadcasts.
    pub fn is_person(&self) -> bool {
        matches!(self, Self::Phone(_) | Self::Lid(_))
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(number) => write!(f, "{}@s.whatsapp.net", number.digits()),
            Self::Lid(lid) => write!(f, "{lid}"),
            Self::Group(user) => write!(f, "{user}@g.us"),
            Self::Newsletter(user) => write!(f, "{user}@newsletter"),
            Self::Broadcast(user) => write!(f, "{user}@broadcast"),
        }
    }
}

impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(number) => write!(f, "{number:?}@s.whatsapp.net"),
            Self::Lid(lid) => write!(f, "{lid:?}"),
            other => write!(f, "{other}"),
        }
    }
}

impl std::str::FromStr for Jid {
    type Err = JidError;
    fn from_str(text: &str) -> Result<Self, JidError> {
        Self::parse(text)
    }
}

impl Serialize for Jid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Jid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Whom a request names: a phone number (E.164 or bare digits) or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient(pub Jid);

impl Recipient {
    /// Reads a phone number or an address.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        match text.contains('@') {
            // Nothing is sent to a list from here; statuses are posted by a command of their own.
            true => match Jid::parse(text)? {
                Jid::Broadcast(_) => Err(JidError::Server),
                jid => Ok(Self(jid)),
            },
            false => PhoneNumber::parse(text)
                .map(|number| Self(Jid::Phone(number)))
                .map_err(|_| JidError::Recipient),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn addresses_round_trip(user in "[1-9][0-9]{7,14}", server in "s\\.whatsapp\\.net|lid|g\\.us|newsletter|broadcast") {
            let text = format!("{user}@{server}");
            prop_assert_eq!(Jid::parse(&text).unwrap().to_string(), text);
        }

        #[test]
        fn no_text_makes_parsing_panic(text in ".{0,60}") {
            let _ = Recipient::parse(&text);
        }
    }

    #[test]
    fn a_number_and_its_address_are_the_same_recipient() {
        let jid = Recipient::parse("15550001111@s.whatsapp.net").unwrap();
        assert_eq!(Recipient::parse("+15550001111").unwrap(), jid);
        assert_eq!(Recipient::parse("15550001111").unwrap(), jid);
    }

    #[test]
    fn what_is_no_recipient_is_refused() {
        for text in [
            "",
            "bob",
            "@lid",
            "x@lid",
            "15550001111@example.com",
            "15550001111:3@s.whatsapp.net",
            "+1@g.us",
            "status@broadcast",
        ] {
            assert!(Recipient::parse(text).is_err(), "{text}");
        }
    }
}
