//! Ids: a prefix and 26 characters, a UUIDv7 in Crockford's base32, so they sort by the time they were made.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ENCODED_LEN: usize = 26;
/// Random bits of a UUIDv7 that a caller supplies, in bytes.
pub const RANDOM_LEN: usize = 10;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text does not start with the prefix of this kind of id.
    #[error("expected an id that starts with `{0}_`")]
    Prefix(&'static str),
    /// What follows the prefix is not 26 characters of Crockford's base32.
    #[error("expected 26 characters of Crockford's base32 after the prefix")]
    Encoding,
}

/// 128 bits in the layout of UUID version 7.
fn layout(unix_ms: u64, random: [u8; RANDOM_LEN]) -> u128 {
    let builder = uuid::Builder::from_unix_timestamp_millis(unix_ms, &random);
    builder.into_uuid().as_u128()
}

fn encode(value: u128) -> [u8; ENCODED_LEN] {
    let mut out = [b'0'; ENCODED_LEN];
    let mut rest = value;
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    out
}

fn decode(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    // 26 characters hold 130 bits: the first may only carry three.
    if bytes.len() != ENCODED_LEN || bytes[0] > b'7' {
        return None;
    }
    bytes.iter().try_fold(0_u128, |value, byte| {
        let digit = ALPHABET.iter().position(|letter| letter == byte)?;
        Some((value << 5) | digit as u128)
    })
}

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident = $prefix:literal),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// What every id of this kind starts with, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// An id made at `unix_ms` (milliseconds since 1970) from `random`, which has to come from the operating system.
            pub fn new(unix_ms: u64, random: [u8; RANDOM_LEN]) -> Self {
                Self(layout(unix_ms, random))
            }

            /// [`Self::new`] from both parts at once.
            pub fn from_parts((unix_ms, random): (u64, [u8; RANDOM_LEN])) -> Self {
                Self::new(unix_ms, random)
            }

            /// The id that always results from the same time and the same parts: how a fact that is told twice finds its first telling.
            pub fn derived(unix_ms: u64, parts: &[&[u8]]) -> Self {
                let mut hash = Sha256::new();
                for part in parts {
                    // The length keeps ("ab", "c") and ("a", "bc") apart.
                    hash.update((part.len() as u64).to_be_bytes());
                    hash.update(part);
                }
                let digest = hash.finalize();
                let mut random = [0; RANDOM_LEN];
                random.copy_from_slice(&digest[..RANDOM_LEN]);
                Self::new(unix_ms, random)
            }

            /// Reads the form that [`fmt::Display`] writes.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let rest = text.strip_prefix(concat!($prefix, "_")).ok_or(IdError::Prefix($prefix))?;
                decode(rest).map(Self).ok_or(IdError::Encoding)
            }

            /// Milliseconds since 1970 at which the id was made.
            pub fn unix_ms(self) -> u64 {
                (self.0 >> 80) as u64
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let encoded = encode(self.0);
                let text = std::str::from_utf8(&encoded).map_err(|_| fmt::Error)?;
                write!(f, concat!($prefix, "_{}"), text)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )+};
}

ids! {
    /// A tenant.
    AccountId = "acc",
    /// A person who logs in.
    UserId = "usr",
    /// An API key.
    ApiKeyId = "key",
    /// An invitation to become a member of an account.
    InvitationId = "inv",
    /// A WhatsApp session: our connection of one linked device.
    SessionId = "ses",
    /// A call that came in.
    CallId = "cal",
    /// A message, in or out.
    MessageId = "msg",
    /// A webhook endpoint.
    WebhookEndpointId = "whk",
    /// One delivery to one endpoint.
    WebhookDeliveryId = "whd",
    /// An event as told to receivers.
    EventId = "evt",
    /// A request to the API.
    RequestId = "req",
}

impl AccountId {
    /// The reserved account that owns global streams (users). It is not a tenant.
    pub const SYSTEM: Self = Self(0);
}

impl UserId {
    /// Under which name the keys of this user's own data are kept. It is no tenant.
    pub fn key_owner(self) -> AccountId {
        AccountId(self.0)
    }
}

impl Default for AccountId {
    fn default() -> Self {
        Self::SYSTEM
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_reads_back_what_it_wrote(ms in 0_u64..(1 << 48), random: [u8; RANDOM_LEN]) {
            let id = MessageId::new(ms, random);
            prop_assert_eq!(MessageId::parse(&id.to_string()), Ok(id));
            prop_assert_eq!(id.unix_ms(), ms);
            prop_assert_eq!(id.to_string().len(), 30);
        }

        #[test]
        fn ids_sort_by_time_as_text(a in 0_u64..(1 << 48), b in 0_u64..(1 << 48), ra: [u8; RANDOM_LEN], rb: [u8; RANDOM_LEN]) {
            prop_assume!(a < b);
            prop_assert!(MessageId::new(a, ra).to_string() < MessageId::new(b, rb).to_string());
        }

        #[test]
        fn no_text_makes_parsing_panic(text in ".{0,64}") {
            let _ = SessionId::parse(&text);
            let _ = SessionId::parse(&format!("ses_{text}"));
        }
    }

    #[test]
    fn the_prefix_and_the_alphabet_are_checked() {
        let id = SessionId::new(1, [7; RANDOM_LEN]).to_string();
        assert_eq!(MessageId::parse(&id), Err(IdError::Prefix("msg")));
        assert_eq!(SessionId::parse(&id.to_lowercase()), Err(IdError::Encoding));
        assert_eq!(SessionId::parse("ses_Z0000000000000000000000000"), Err(IdError::Encoding));
    }

    #[test]
    fn derived_ids_differ_where_the_parts_differ() {
        let id = |parts: &[&[u8]]| MessageId::derived(5, parts);
        assert_eq!(id(&[b"ab", b"c"]), id(&[b"ab", b"c"]));
        assert_ne!(id(&[b"ab", b"c"]), id(&[b"a", b"bc"]));
    }
}
