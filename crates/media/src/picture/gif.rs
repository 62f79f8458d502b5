//! GIF: blocks, up to the trailer (GIF89a, appendix B).

use std::io::{Read, Seek};

use super::Shape;
use crate::{
    MediaRefused,
    reader::{Reader, corrupt},
};

pub(super) fn shape<R: Read + Seek>(reader: &mut Reader<R>) -> Result<Shape, MediaRefused> {
    reader.advance(6)?;
    let [w1, w2, h1, h2, flags, _, _]: [u8; 7] = reader.take()?;
    let mut shape =
        Shape::within_limits(u16::from_le_bytes([w1, w2]).into(), u16::from_le_bytes([h1, h2]).into())?;
    skip_colors(reader, flags)?;
    let mut frames = 0_u32;
    loop {
        match reader.byte()? {
            0x2C => {
                let [_, _, _, _, w1, w2, h1, h2, flags]: [u8; 9] = reader.take()?;
                Shape::within_limits(
                    u16::from_le_bytes([w1, w2]).into(),
                    u16::from_le_bytes([h1, h2]).into(),
                )?;
                skip_colors(reader, flags)?;
                reader.advance(1)?; // how wide the codes are
                skip_blocks(reader)?;
                frames += 1;
            },
            0x21 => {
                reader.advance(1)?; // what it extends
                skip_blocks(reader)?;
            },
            0x3B if frames > 0 => break,
            0x3B => return Err(corrupt("a GIF without a picture")),
            _ => return Err(corrupt(format!("no GIF block at byte {}", reader.at()))),
        }
    }
    shape.animated = frames > 1;
    Ok(shape)
}

fn skip_colors<R: Read + Seek>(reader: &mut Reader<R>, flags: u8) -> Result<(), MediaRefused> {
    match flags & 0x80 {
        0 => Ok(()),
        _ => reader.advance(3 << ((flags & 7) + 1)),
    }
}

fn skip_blocks<R: Read + Seek>(reader: &mut Reader<R>) -> Result<(), MediaRefused> {
    loop {
        match reader.byte()? {
            0 => return Ok(()),
            length => reader.advance(length.into())?,
        }
    }
}
