//! Opus in Ogg (RFC 7845), by its packets' first bytes (RFC 6716, section 3.1).

use std::{
    io::{Read, Seek},
    time::Duration,
};

use super::ogg;
use crate::{
    Facts, Kind, MediaRefused,
    reader::{Reader, corrupt},
};

/// How many values WhatsApp's waveforms have.
pub const WAVEFORM_VALUES: usize = 64;

/// Granule positions count samples at this rate, whatever the sound was recorded at.
const SAMPLES_PER_MS: u64 = 48;

/// The longest packet: 120 ms.
const PACKET_SAMPLES_MAX: u64 = 120 * SAMPLES_PER_MS;

pub(crate) fn ogg_opus<R: Read + Seek>(mut reader: Reader<R>, kind: Kind) -> Result<Facts, MediaRefused> {
    let (mut place, mut skipped, mut samples) = (0_u32, 0, 0);
    let mut sizes: Vec<u32> = Vec::new();
    let granule = ogg::packets(&mut reader, |packet| {
        match place {
            0 if packet.length >= packet.begin.len() && packet.begin.starts_with(b"OpusHead") => {
                skipped = u64::from(u16::from_le_bytes([packet.begin[10], packet.begin[11]]));
            },
            0 => return Err(corrupt("an Ogg whose first packet is not the header of Opus")),
            1 if packet.begin.starts_with(b"OpusTags") => {},
            1 => return Err(corrupt("an Ogg whose second packet has no tags of Opus")),
            _ => {
                samples += samples_of(&packet)?;
                sizes.push(u32::try_from(packet.length).unwrap_or(u32::MAX));
            },
        }
        place += 1;
        Ok(())
    })?;
    if sizes.is_empty() {
        return Err(MediaRefused::Truncated("an Ogg without sound".to_owned()));
    }
    // The position only cuts off what the last packet has too much; what it says beyond the packets is not there.
    let samples = granule.map_or(samples, |granule| granule.min(samples)).saturating_sub(skipped);
    Ok(Facts {
        duration: Some(Duration::from_millis(samples / SAMPLES_PER_MS)),
        waveform: (kind == Kind::Voice).then(|| waveform(&sizes)),
        ..Facts::default()
    })
}

fn samples_of(packet: &ogg::Packet) -> Result<u64, MediaRefused> {
    if packet.length == 0 {
        return Err(corrupt("an Opus packet without a byte"));
    }
    let [first, second, ..] = packet.begin;
    let configuration = usize::from(first >> 3);
    let tenths_of_ms = match configuration {
        0..=11 => [100, 200, 400, 600][configuration & 3],
        12..=15 => [100, 200][configuration & 1],
        _ => [25, 50, 100, 200][configuration & 3],
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ if packet.length < 2 => {
            return Err(corrupt("an Opus packet that does not say how many frames it has"));
        },
        _ => u64::from(second & 0x3F),
    };
    match frames * tenths_of_ms * SAMPLES_PER_MS / 10 {
        samples @ 1..=PACKET_SAMPLES_MAX => Ok(samples),
        _ => Err(corrupt("an Opus packet of no time, or of more than 120 ms")),
    }
}

/// The mean size of the packets of each part, of the largest mean. Packets of one file last equally long as a rule. What a
/// silent packet takes at least, two bytes, is no sound.
fn waveform(sizes: &[u32]) -> [u8; WAVEFORM_VALUES] {
    let means: [u64; WAVEFORM_VALUES] = std::array::from_fn(|part| {
        let begin = part * sizes.len() / WAVEFORM_VALUES;
        let end = ((part + 1) * sizes.len() / WAVEFORM_VALUES).max(begin + 1);
        let sum: u64 = sizes[begin..end].iter().map(|size| u64::from(size.saturating_sub(2))).sum();
        // In hundredths, so that short packets are told apart.
        sum * 100 / (end - begin) as u64
    });
    let largest = means.iter().copied().max().unwrap_or(0).max(1);
    means.map(|mean| u8::try_from(mean * 100 / largest).unwrap_or(100))
}
