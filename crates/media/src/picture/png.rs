//! PNG: chunks, up to `IEND` (W3C PNG, section 5).

use std::io::{Read, Seek};

use flate2::{Decompress, FlushDecompress, Status};

use super::Shape;
use crate::{
    MediaRefused,
    reader::{Reader, corrupt},
};

/// How many bytes of pixels are unfolded at once.
const PIECE: usize = 64 * 1024;

pub(super) fn shape<R: Read + Seek>(reader: &mut Reader<R>) -> Result<Shape, MediaRefused> {
    reader.advance(8)?;
    let mut header: Option<(Shape, Pixels)> = None;
    loop {
        let length = u64::from(u32::from_be_bytes(reader.take()?));
        let name: [u8; 4] = reader.take()?;
        match (&name, &mut header) {
            (b"IHDR", None) if length == 13 => {
                let (width, height) =
                    (u32::from_be_bytes(reader.take()?), u32::from_be_bytes(reader.take()?));
                let [depth, color, ..]: [u8; 5] = reader.take()?;
                let shape = Shape::within_limits(width, height)?;
                header = Some((shape, Pixels::of(shape, depth, color)));
            },
            (_, None) => return Err(corrupt("a PNG that does not begin with its header")),
            (b"IDAT", Some((_, pixels))) => pixels.unfold(reader, length)?,
            (b"IEND", Some((shape, _))) => {
                reader.advance(length + 4)?;
                return Ok(*shape);
            },
            (name, Some((shape, _))) => {
                shape.animated |= name == b"acTL";
                reader.advance(length)?;
            },
        }
        reader.advance(4)?; // the checksum is the decoder's
    }
}

/// Counts what the compressed pixels unfold to. The decoder reads on to the end of whatever there is, a thousand times as
/// much as the file has.
struct Pixels {
    inflate: Decompress,
    bytes_max: u64,
    ended: bool,
}

impl Pixels {
    fn of(shape: Shape, depth: u8, color: u8) -> Self {
        let samples = match color {
            2 => 3,
            4 => 2,
            6 => 4,
            _ => 1,
        };
        let row = (u64::from(shape.width) * samples * u64::from(depth)).div_ceil(8) + 1;
        // Interlaced rows are less than twice as many, each with its filter and half a byte.
        Self {
            inflate: Decompress::new(true),
            bytes_max: 2 * u64::from(shape.height) * (row + 2) + 64,
            ended: false,
        }
    }

    fn unfold<R: Read + Seek>(
        &mut self,
        reader: &mut Reader<R>,
        mut length: u64,
    ) -> Result<(), MediaRefused> {
        if length > reader.left() {
            return Err(reader.cut());
        }
        let (mut folded, mut unfolded) = (vec![0; PIECE / 4], vec![0; PIECE]);
        while length > 0 && !self.ended {
            let piece = usize::try_from(length).unwrap_or(usize::MAX).min(folded.len());
            reader.fill(&mut folded[..piece])?;
            length -= piece as u64;
            let mut input = &folded[..piece];
            loop {
                let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
                let status = self
                    .inflate
                    .decompress(input, &mut unfolded, FlushDecompress::None)
                    .map_err(|error| corrupt(format!("the pixels of a PNG: {error}")))?;
                let (took, made) =
                    (self.inflate.total_in() - before_in, self.inflate.total_out() - before_out);
                input = &input[(took as usize).min(input.len())..];
                if self.inflate.total_out() > self.bytes_max {
                    return Err(MediaRefused::Bomb(format!(
                        "its pixels take more than the {} bytes that its dimensions allow",
                        self.bytes_max
                    )));
                }
                self.ended = status == Status::StreamEnd;
                // Until the output is no longer filled, there may be more of the same input.
                if self.ended || (took == 0 && made == 0) || (input.is_empty() && (made as usize) < PIECE) {
                    break;
                }
            }
        }
        reader.advance(length)
    }
}
