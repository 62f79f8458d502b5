//! JPEG: markers, up to EOI (ITU-T T.81, annex B).

use std::io::{Read, Seek};

use super::Shape;
use crate::{
    MediaRefused,
    reader::{Reader, corrupt},
};

/// How many scans a picture may have. Progressive files have about ten; each costs a pass over all pixels, however short it
/// is.
pub const JPEG_SCANS_MAX: u32 = 64;

/// How many pixels a progressive picture may have. Its decoder keeps two bytes for each sample until the last scan, besides
/// the pixels, and counts them against no limit: with this they stay within [`super::DECODED_BYTES_MAX`].
pub const PROGRESSIVE_PIXELS_MAX: u64 = 25_000_000;

/// How many pictures may follow one another in a file: phones append further ones (CIPA DC-007), such as a map of
/// brightness.
const PICTURES_MAX: u32 = 8;

pub(super) fn shape<R: Read + Seek>(reader: &mut Reader<R>) -> Result<Shape, MediaRefused> {
    let first = picture(reader)?;
    for _ in 1..PICTURES_MAX {
        reader.skip_zeros()?;
        if !reader.is_next(&[0xFF, 0xD8, 0xFF])? {
            break;
        }
        picture(reader)?;
    }
    Ok(first)
}

fn picture<R: Read + Seek>(reader: &mut Reader<R>) -> Result<Shape, MediaRefused> {
    reader.advance(2)?;
    let (mut shape, mut scans) = (None, 0);
    let mut code = marker(reader)?;
    loop {
        match code {
            0xD9 if scans > 0 => return shape.ok_or_else(|| corrupt("a JPEG without a frame")),
            0xD9 => return Err(corrupt("a JPEG without a scan")),
            0x00 | 0xD8 => return Err(corrupt("a JPEG with a marker that is out of place")),
            0x01 | 0xD0..=0xD7 => {},
            _ => {
                let length = u64::from(u16::from_be_bytes(reader.take()?));
                let Some(length) = length.checked_sub(2) else {
                    return Err(corrupt("a JPEG with a segment without a length"));
                };
                if is_frame(code) && length >= 5 {
                    let [_, high, low, wide, narrow]: [u8; 5] = reader.take()?;
                    let (height, width) =
                        (u16::from_be_bytes([high, low]), u16::from_be_bytes([wide, narrow]));
                    let found = Shape::within_limits(width.into(), height.into())?;
                    let pixels = u64::from(width) * u64::from(height);
                    if code == 0xC2 && pixels > PROGRESSIVE_PIXELS_MAX {
                        return Err(MediaRefused::Bomb(format!(
                            "{pixels} pixels; up to {PROGRESSIVE_PIXELS_MAX} are allowed in a progressive JPEG"
                        )));
                    }
                    shape = Some(found);
                    reader.advance(length - 5)?;
                } else {
                    reader.advance(length)?;
                }
                if code == 0xDA {
                    scans += 1;
                    if scans > JPEG_SCANS_MAX {
                        return Err(MediaRefused::Bomb(format!(
                            "a JPEG of more than {JPEG_SCANS_MAX} scans"
                        )));
                    }
                    code = after_scan(reader)?;
                    continue;
                }
            },
        }
        code = marker(reader)?;
    }
}

/// `SOF`s, without `DHT`, `JPG` and `DAC`, which stand among them.
fn is_frame(code: u8) -> bool {
    matches!(code, 0xC0..=0xCF) && !matches!(code, 0xC4 | 0xC8 | 0xCC)
}

fn marker<R: Read + Seek>(reader: &mut Reader<R>) -> Result<u8, MediaRefused> {
    if reader.byte()? != 0xFF {
        return Err(corrupt(format!("no JPEG marker at byte {}", reader.at())));
    }
    loop {
        match reader.byte()? {
            0xFF => {},
            code => return Ok(code),
        }
    }
}

/// The marker after compressed data, in which `FF 00` is a byte and `FF D0` to `FF D7` are restarts.
fn after_scan<R: Read + Seek>(reader: &mut Reader<R>) -> Result<u8, MediaRefused> {
    let mut escaped = false;
    loop {
        match (escaped, reader.byte()?) {
            (_, 0xFF) => escaped = true,
            (false, _) | (true, 0x00 | 0xD0..=0xD7) => escaped = false,
            (true, code) => return Ok(code),
        }
    }
}
