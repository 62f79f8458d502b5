//! Phone numbers as WhatsApp uses them: digits with a country code, without a plus sign.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Fewest digits that are accepted.
pub const DIGITS_MIN: usize = 8;
/// Most digits that E.164 allows.
pub const DIGITS_MAX: usize = 15;

/// A phone number that is possible: 8 to 15 digits, not starting with a zero. It need not be listed in a numbering plan.
///
/// Displays as E.164 (`+15550001111`); `Debug` hides the middle.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(String);

/// Why a text is not a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a phone number with country code: 8 to 15 digits, with or without a leading +")]
pub struct PhoneNumberError;

impl PhoneNumber {
    /// Reads E.164 or bare digits. Spaces and separators are refused: what they mean depends on the country.
    pub fn parse(text: &str) -> Result<Self, PhoneNumberError> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let possible = (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        possible.then(|| Self(digits.to_owned())).ok_or(PhoneNumberError)
    }

    /// The digits, as they stand in a JID.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}…{}", &self.0[..3], &self.0[self.0.len() - 2..])
    }
}

impl std::str::FromStr for PhoneNumber {
    type Err = PhoneNumberError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for PhoneNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PhoneNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn possible_numbers_round_trip(digits in "[1-9][0-9]{7,14}") {
            let number = PhoneNumber::parse(&digits).unwrap();
            prop_assert_eq!(number.digits(), digits.as_str());
            prop_assert_eq!(PhoneNumber::parse(&number.to_string()).unwrap(), number);
        }

        #[test]
        fn no_text_makes_parsing_panic(text in ".{0,40}") {
            let _ = PhoneNumber::parse(&text);
        }
    }

    #[test]
    fn debug_hides_the_number() {
        assert_eq!(format!("{:?}", PhoneNumber::parse("+15550001111").unwrap()), "+155…11");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in
            ["", "+", "1234567", "1234567890123456", "+1 555 000 1111", "0155500011", "abc", "+1555000111a"]
        {
            assert_eq!(PhoneNumber::parse(text), Err(PhoneNumberError), "{text}");
        }
    }
}
