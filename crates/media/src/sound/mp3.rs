//! MP3: the first frame (ISO/IEC 11172-3 and 13818-3, layer III) and, where the bit rate varies, the count that encoders
//! write into it.

use std::{
    io::{Read, Seek},
    time::Duration,
};

use crate::{
    Facts, MediaRefused,
    reader::{Reader, corrupt},
};

/// How far behind the tags the first frame may begin, in bytes.
const SEARCHED_MAX: usize = 64 * 1024;

/// Kilobits a second, by index; version 1, and versions 2 and 2.5.
const RATES: [[u64; 16]; 2] = [
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
];

/// Samples a second of version 1, by index.
const SAMPLES: [u64; 3] = [44_100, 48_000, 32_000];

/// The lowest bit rate: nothing plays longer for its size.
const KBITS_PER_S_MIN: u64 = 8;

struct Frame {
    length: usize,
    samples: u64,
    samples_per_s: u64,
    kbits_per_s: u64,
    /// Bytes between the header and what the encoder adds.
    side: usize,
}

pub(crate) fn mp3<R: Read + Seek>(mut reader: Reader<R>) -> Result<Facts, MediaRefused> {
    if reader.is_next(b"ID3")? {
        let [_, _, _, _, _, flags, a, b, c, d]: [u8; 10] = reader.take()?;
        let length = [a, b, c, d].iter().fold(0, |length, byte| (length << 7) | u64::from(byte & 0x7F));
        reader.advance(length + if flags & 0x10 == 0 { 0 } else { 10 })?;
    }
    let left = reader.left();
    let mut window = vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(SEARCHED_MAX)];
    reader.fill(&mut window)?;
    let found = (0..window.len()).find_map(|at| {
        let frame = Frame::at(&window[at..])?;
        // Two bytes that look like a header are common; a second header right behind is not.
        let next = at + frame.length;
        let whole = next as u64 == left || Frame::at(window.get(next..)?).is_some();
        whole.then_some((at, frame))
    });
    let Some((at, frame)) = found else {
        return Err(corrupt("an MP3 without two frames that follow one another"));
    };
    let bytes = left - at as u64;
    let by_rate = bytes * 8 / frame.kbits_per_s;
    let longest = bytes * 8 / KBITS_PER_S_MIN;
    let counted = frame
        .counted(&window[at..])
        .map(|frames| frames * frame.samples * 1000 / frame.samples_per_s)
        .filter(|milliseconds| *milliseconds <= longest);
    Ok(Facts { duration: Some(Duration::from_millis(counted.unwrap_or(by_rate))), ..Facts::default() })
}

impl Frame {
    fn at(bytes: &[u8]) -> Option<Self> {
        let [0xFF, second, third, fourth, ..] = *bytes else { return None };
        // Layer III is 01; of the versions, 01 is reserved.
        let version = (second >> 3) & 3;
        if second & 0xE0 != 0xE0 || second & 0x06 != 0x02 || version == 1 {
            return None;
        }
        let is_first = version == 3;
        let kbits_per_s = RATES[usize::from(!is_first)][usize::from(third >> 4)];
        let samples_per_s = *SAMPLES.get(usize::from((third >> 2) & 3))?
            / match version {
                3 => 1,
                2 => 2,
                _ => 4,
            };
        if kbits_per_s == 0 {
            return None;
        }
        let samples = if is_first { 1152 } else { 576 };
        let padding = u64::from((third >> 1) & 1);
        let is_mono = fourth >> 6 == 3;
        Some(Self {
            length: usize::try_from(samples / 8 * kbits_per_s * 1000 / samples_per_s + padding).ok()?,
            samples,
            samples_per_s,
            kbits_per_s,
            side: match (is_first, is_mono) {
                (true, false) => 32,
                (false, true) => 9,
                _ => 17,
            },
        })
    }

    /// How many frames the encoder says there are.
    fn counted(&self, bytes: &[u8]) -> Option<u64> {
        let added = bytes.get(4 + self.side..)?;
        let flags = u32::from_be_bytes(*added.get(4..)?.first_chunk()?);
        let is_there = (added.starts_with(b"Xing") || added.starts_with(b"Info")) && flags & 1 != 0;
        let frames = u32::from_be_bytes(*added.get(8..)?.first_chunk()?);
        is_there.then_some(u64::from(frames))
    }
}
