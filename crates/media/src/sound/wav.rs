//! WAV: chunks of a RIFF container.

use std::{
    io::{Read, Seek},
    time::Duration,
};

use crate::{
    Facts, MediaRefused,
    reader::{Reader, corrupt},
};

/// How many chunks may stand before the sound.
const CHUNKS_MAX: u32 = 100;

/// What programs write that do not know the length yet.
const UNKNOWN: u32 = u32::MAX;

pub(crate) fn wav<R: Read + Seek>(mut reader: Reader<R>) -> Result<Facts, MediaRefused> {
    reader.advance(12)?;
    let mut bytes_per_s = None;
    for _ in 0..CHUNKS_MAX {
        let name: [u8; 4] = reader.take()?;
        let length = u32::from_le_bytes(reader.take()?);
        match (&name, bytes_per_s) {
            (b"fmt ", None) if length >= 16 => {
                reader.advance(8)?;
                bytes_per_s = Some(u64::from(u32::from_le_bytes(reader.take()?)));
                reader.advance(u64::from(length) - 12)?;
            },
            (b"data", Some(bytes_per_s)) => {
                let length = if length == UNKNOWN { reader.left() } else { length.into() };
                if length > reader.left() {
                    return Err(reader.cut());
                }
                let Some(milliseconds) = (length * 1000).checked_div(bytes_per_s) else {
                    return Err(corrupt("a WAV of no bytes a second"));
                };
                return Ok(Facts { duration: Some(Duration::from_millis(milliseconds)), ..Facts::default() });
            },
            _ => reader.advance(u64::from(length))?,
        }
        reader.advance(u64::from(length % 2))?;
    }
    Err(corrupt(format!("a WAV without sound in its first {CHUNKS_MAX} chunks")))
}
