//! WebP: one RIFF container with its chunks (RFC 9649).

use std::io::{BufRead, Read, Seek};

use image::{AnimationDecoder, codecs::webp::WebPDecoder};

use super::{Shape, refused};
use crate::{
    MediaRefused,
    reader::{Reader, corrupt},
};

pub(super) fn shape<R: Read + Seek>(reader: &mut Reader<R>) -> Result<Shape, MediaRefused> {
    reader.advance(4)?;
    let end = 8 + u64::from(u32::from_le_bytes(reader.take()?));
    if end > reader.size() {
        return Err(reader.cut());
    }
    reader.advance(4)?;
    let mut shape: Option<Shape> = None;
    while reader.at() + 8 <= end {
        let name: [u8; 4] = reader.take()?;
        let length = u64::from(u32::from_le_bytes(reader.take()?));
        let next = reader.at() + length + length % 2;
        // Some encoders leave the padding of the last chunk out of the whole.
        if reader.at() + length > end {
            return Err(corrupt("a WebP with a chunk that is longer than the whole"));
        }
        match &name {
            b"VP8X" | b"VP8L" | b"VP8 " if shape.is_none() => {
                let (width, height) = dimensions(reader, &name, length)?;
                shape = Some(Shape::within_limits(width, height)?);
            },
            b"ANIM" | b"ANMF" => match &mut shape {
                Some(shape) => shape.animated = true,
                None => return Err(corrupt("a WebP that does not begin with its dimensions")),
            },
            _ => {},
        }
        reader.skip_to(next.min(reader.size()))?;
    }
    reader.skip_to(end)?;
    shape.ok_or_else(|| corrupt("a WebP without a picture"))
}

fn dimensions<R: Read + Seek>(
    reader: &mut Reader<R>,
    name: &[u8; 4],
    length: u64,
) -> Result<(u32, u32), MediaRefused> {
    let mut bytes = [0; 10];
    let needed = if name == b"VP8L" { 5 } else { bytes.len() };
    if length < needed as u64 {
        return Err(corrupt("a WebP whose first chunk is too short"));
    }
    reader.fill(&mut bytes[..needed])?;
    let three = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], 0]);
    let two = |at: usize| u32::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]) & 0x3FFF);
    match name {
        b"VP8X" => Ok((three(4) + 1, three(7) + 1)),
        b"VP8L" => {
            let packed = u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
            Ok(((packed & 0x3FFF) + 1, ((packed >> 14) & 0x3FFF) + 1))
        },
        _ => Ok((two(6), two(8))),
    }
}

/// Decodes one frame after the other, up to `frames_max`, and says how many there are.
pub(crate) fn frames_of_animation(
    source: impl BufRead + Seek,
    frames_max: usize,
) -> Result<usize, MediaRefused> {
    let decoder = WebPDecoder::new(source).map_err(refused)?;
    let mut frames = 0;
    for frame in decoder.into_frames() {
        frame.map_err(refused)?;
        frames += 1;
        if frames > frames_max {
            return Err(MediaRefused::Bomb(format!("an animation of more than {frames_max} frames")));
        }
    }
    Ok(frames)
}
