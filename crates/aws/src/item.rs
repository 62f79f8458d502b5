//! Attributes of items. What is empty is left out: not every DynamoDB takes empty texts and bytes.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use jiff::Timestamp;
use waxwing_app::ports::PortError;

use crate::failure::refused;

/// Bytes that an item may have, names and values.
pub(crate) const ITEM_LIMIT_BYTES: usize = 400 << 10;
/// Bytes that say which call wrote an item.
pub(crate) const WRITE_ID_LEN: usize = 8;

/// Name of the attribute that says which call wrote the item.
pub(crate) const WRITE_ID: &str = "w";
/// Name of the attribute after whose milliseconds an item counts as gone.
pub(crate) const EXPIRES_MS: &str = "exp";
/// Name of the attribute, in seconds, after which DynamoDB removes the item some time later.
pub(crate) const REMOVED_AFTER: &str = "ttl";

/// What DynamoDB calls an item.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A text.
pub(crate) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number.
pub(crate) fn number(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// Bytes.
pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// Adds a text unless it is empty.
pub(crate) fn put_text(item: &mut Item, name: &str, value: &str) {
    if !value.is_empty() {
        item.insert(name.to_owned(), text(value));
    }
}

/// Adds bytes unless there are none.
pub(crate) fn put_bytes(item: &mut Item, name: &str, value: Vec<u8>) {
    if !value.is_empty() {
        item.insert(name.to_owned(), bytes(value));
    }
}

/// Adds when the item counts as gone, and when DynamoDB may remove it, which is never earlier.
pub(crate) fn put_end(item: &mut Item, end: Option<Timestamp>) {
    if let Some(end) = end {
        let end_ms = end.as_millisecond();
        item.insert(EXPIRES_MS.to_owned(), number(end_ms));
        item.insert(REMOVED_AFTER.to_owned(), number(end_ms.div_euclid(1_000) + 1));
    }
}

/// An item as it was read, with a name for error texts.
pub(crate) struct Reader<'a> {
    pub(crate) what: &'a str,
    pub(crate) item: &'a Item,
}

impl<'a> Reader<'a> {
    fn unreadable(&self, name: &str) -> PortError {
        PortError::Corrupt(format!("{}: the attribute {name} cannot be read", self.what))
    }

    /// A text that has to be there.
    pub(crate) fn text(&self, name: &str) -> Result<String, PortError> {
        self.optional_text(name)?.ok_or_else(|| self.unreadable(name))
    }

    /// A text that may be missing.
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<String>, PortError> {
        let found = self.item.get(name).map(|value| value.as_s().map_err(|_| self.unreadable(name)));
        Ok(found.transpose()?.cloned())
    }

    /// Bytes; none when the attribute is missing.
    pub(crate) fn bytes(&self, name: &str) -> Result<&'a [u8], PortError> {
        match self.item.get(name) {
            None => Ok(&[]),
            Some(value) => Ok(value.as_b().map_err(|_| self.unreadable(name))?.as_ref()),
        }
    }

    /// A number that has to be there.
    pub(crate) fn number<N: std::str::FromStr>(&self, name: &str) -> Result<N, PortError> {
        self.optional_number(name)?.ok_or_else(|| self.unreadable(name))
    }

    /// A number that may be missing.
    pub(crate) fn optional_number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, PortError> {
        let Some(value) = self.item.get(name) else { return Ok(None) };
        let number = value.as_n().ok().and_then(|number| number.parse().ok());
        number.map(Some).ok_or_else(|| self.unreadable(name))
    }

    /// A time in milliseconds that may be missing.
    pub(crate) fn optional_time(&self, name: &str) -> Result<Option<Timestamp>, PortError> {
        let Some(ms) = self.optional_number::<i64>(name)? else { return Ok(None) };
        Timestamp::from_millisecond(ms).map(Some).map_err(|_| self.unreadable(name))
    }

    /// True when the item counts as gone.
    pub(crate) fn is_over(&self, now: Timestamp) -> Result<bool, PortError> {
        Ok(self.optional_number::<i64>(EXPIRES_MS)?.is_some_and(|end_ms| end_ms < now.as_millisecond()))
    }
}

/// True when the item was written by the call with this id.
pub(crate) fn is_written_by(item: &Item, write_id: &[u8]) -> bool {
    item.get(WRITE_ID).and_then(|value| value.as_b().ok()).is_some_and(|id| id.as_ref() == write_id)
}

/// What DynamoDB counts for the item, names and values.
pub(crate) fn item_bytes(item: &Item) -> usize {
    let value_bytes = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        // About half a byte a digit; this is never too little.
        AttributeValue::N(number) => number.len() + 1,
        _ => 1,
    };
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

/// Refuses what no item has room for.
pub(crate) fn check_size(what: &str, item: &Item) -> Result<(), PortError> {
    let size = item_bytes(item);
    match size <= ITEM_LIMIT_BYTES {
        true => Ok(()),
        false => Err(refused(format_args!(
            "{what} takes {size} bytes, and an item of DynamoDB holds {ITEM_LIMIT_BYTES}"
        ))),
    }
}
