//! Files made here, whole and damaged: each way to be wrong has its own error.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod any_bytes;
mod labels;
mod make;
mod movies;
mod pictures;
mod sounds;
mod stickers;

use std::io::Cursor;

use waxwing_media::{Facts, HEAD_BYTES, Kind, MediaRefused, Mime, examine, inspect};

/// The way of a file: first its beginning, then all of it.
fn look(kind: Kind, file: &[u8]) -> Result<(Mime, Facts), MediaRefused> {
    let head = &file[..file.len().min(HEAD_BYTES)];
    let mime = examine(None, kind, head, file.len() as u64)?;
    inspect(kind, mime, Cursor::new(file)).map(|facts| (mime, facts))
}

/// The code of the error, or nothing.
fn code(kind: Kind, file: &[u8]) -> &'static str {
    look(kind, file).map_or_else(|refused| refused.code(), |_| "")
}
