//! Cursors: a position in a list, opaque and URL-safe as it is.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::Problem;

/// Longest cursor that is looked at.
const LEN_MAX: usize = 512;

pub(crate) fn encode(position: &str) -> String {
    URL_SAFE_NO_PAD.encode(position)
}

pub(crate) fn decode(cursor: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let position = URL_SAFE_NO_PAD.decode(cursor).ok().filter(|_| cursor.len() <= LEN_MAX);
    match position.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(position) if !position.is_empty() => Ok(Some(position)),
        _ => Err(unknown()),
    }
}

/// What is no cursor of that list.
pub(crate) fn unknown() -> Problem {
    Problem::field("/query/cursor", "expected the next_cursor of an earlier page")
}
