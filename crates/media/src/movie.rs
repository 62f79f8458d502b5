//! MP4, M4A and 3GP: boxes (ISO/IEC 14496-12). Only what lies around the pictures is read.

use std::{
    io::{Read, Seek},
    time::Duration,
};

use crate::{
    Facts, Kind, MediaRefused,
    reader::{Reader, corrupt},
};

/// How many boxes a file may have. A film recorded in fragments has two for each.
pub const BOXES_MAX: u32 = 20_000;

/// How many tracks are looked at.
pub const TRACKS_MAX: usize = 16;

/// How deep what is needed lies: `moov`, `trak`, `mdia`, and `hdlr` in it.
const DEPTH_MAX: u32 = 4;

#[derive(Default)]
struct Movie {
    boxes: u32,
    has_header: bool,
    duration: Option<Duration>,
    timescale: u32,
    tracks: Vec<Track>,
}

#[derive(Default)]
struct Track {
    handler: [u8; 4],
    width: u32,
    height: u32,
}

struct Header {
    name: [u8; 4],
    end: u64,
}

pub(crate) fn facts<R: Read + Seek>(kind: Kind, mut reader: Reader<R>) -> Result<Facts, MediaRefused> {
    let mut movie = Movie::default();
    movie.top(&mut reader)?;
    if !movie.has_header {
        return Err(MediaRefused::Truncated("an MP4 without `moov`, which recorders write last".to_owned()));
    }
    let film = movie.tracks.iter().find(|track| &track.handler == b"vide");
    let sound = movie.tracks.iter().any(|track| &track.handler == b"soun");
    let facts = Facts { duration: movie.duration, ..Facts::default() };
    match (kind, film) {
        (Kind::Audio, None) if sound => Ok(facts),
        (Kind::Audio, Some(_)) => Err(MediaRefused::TypeNotAllowed { kind, found: crate::Mime::MP4_VIDEO }),
        (Kind::Audio, None) => Err(corrupt("an MP4 without sound")),
        (_, None) => Err(MediaRefused::TypeNotAllowed { kind, found: crate::Mime::MP4_AUDIO }),
        (_, Some(film)) => {
            let shown = |pixels: u32| (pixels > 0).then_some(pixels);
            Ok(Facts { width: shown(film.width), height: shown(film.height), ..facts })
        },
    }
}

impl Movie {
    fn top<R: Read + Seek>(&mut self, reader: &mut Reader<R>) -> Result<(), MediaRefused> {
        while reader.left() > 0 {
            if self.has_header && reader.left() < 8 {
                break;
            }
            let (begin, left) = (reader.at(), reader.left());
            let found = self.open(reader)?;
            if !found.name.iter().all(|letter| matches!(letter, b' '..=b'~' | 0xA9)) {
                return match self.has_header {
                    true => Err(MediaRefused::TrailingData { bytes: left }),
                    false => Err(corrupt(format!("no MP4 box at byte {begin}"))),
                };
            }
            if found.end > reader.size() {
                return Err(reader.cut());
            }
            if &found.name == b"moov" {
                self.has_header = true;
                self.inside(reader, found.end, 1)?;
            }
            reader.skip_to(found.end)?;
        }
        Ok(())
    }

    /// The header of the next box.
    fn open<R: Read + Seek>(&mut self, reader: &mut Reader<R>) -> Result<Header, MediaRefused> {
        let begin = reader.at();
        self.boxes += 1;
        if self.boxes > BOXES_MAX {
            return Err(MediaRefused::Bomb(format!("an MP4 of more than {BOXES_MAX} boxes")));
        }
        let size = u32::from_be_bytes(reader.take()?);
        let name = reader.take()?;
        let end = match size {
            0 => reader.size(),
            1 => begin.saturating_add(u64::from_be_bytes(reader.take()?)),
            size => begin + u64::from(size),
        };
        // What is shorter than its own header leads nowhere.
        Ok(Header { name, end: end.max(reader.at()) })
    }

    fn inside<R: Read + Seek>(
        &mut self,
        reader: &mut Reader<R>,
        end: u64,
        depth: u32,
    ) -> Result<(), MediaRefused> {
        if depth > DEPTH_MAX {
            return Err(MediaRefused::Bomb(format!("MP4 boxes more than {DEPTH_MAX} deep")));
        }
        while reader.at() + 8 <= end {
            let found = self.open(reader)?;
            if found.end > end {
                return Err(corrupt("an MP4 box that is longer than the one around it"));
            }
            match &found.name {
                b"mvhd" => self.movie_header(reader)?,
                b"mehd" => self.fragments_header(reader)?,
                b"trak" => {
                    if self.tracks.len() == TRACKS_MAX {
                        return Err(MediaRefused::Bomb(format!("an MP4 of more than {TRACKS_MAX} tracks")));
                    }
                    self.tracks.push(Track::default());
                    self.inside(reader, found.end, depth + 1)?;
                },
                b"mdia" | b"mvex" => self.inside(reader, found.end, depth + 1)?,
                b"tkhd" => self.track_header(reader)?,
                b"hdlr" => {
                    reader.advance(8)?;
                    let handler = reader.take()?;
                    if let Some(track) = self.tracks.last_mut() {
                        track.handler = handler;
                    }
                },
                _ => {},
            }
            if reader.at() > found.end {
                return Err(corrupt("an MP4 box that is too short for what is in it"));
            }
            reader.skip_to(found.end)?;
        }
        reader.skip_to(end)
    }

    fn movie_header<R: Read + Seek>(&mut self, reader: &mut Reader<R>) -> Result<(), MediaRefused> {
        let [version, ..]: [u8; 4] = reader.take()?;
        reader.advance(if version == 1 { 16 } else { 8 })?; // when it was made and changed
        self.timescale = u32::from_be_bytes(reader.take()?);
        let ticks = ticks(reader, version)?;
        self.plays(ticks);
        Ok(())
    }

    fn fragments_header<R: Read + Seek>(&mut self, reader: &mut Reader<R>) -> Result<(), MediaRefused> {
        let [version, ..]: [u8; 4] = reader.take()?;
        let ticks = ticks(reader, version)?;
        self.plays(ticks);
        Ok(())
    }

    /// No ticks, or nothing but ones, stand for a duration that is not known.
    fn plays(&mut self, ticks: u64) {
        let milliseconds = ticks
            .checked_mul(1000)
            .and_then(|ticks| ticks.checked_div(u64::from(self.timescale)))
            .filter(|milliseconds| *milliseconds > 0 && ticks != u64::from(u32::MAX));
        self.duration = milliseconds.map(Duration::from_millis).or(self.duration);
    }

    fn track_header<R: Read + Seek>(&mut self, reader: &mut Reader<R>) -> Result<(), MediaRefused> {
        let [version, ..]: [u8; 4] = reader.take()?;
        // Times, the number and the duration; then reserved, layer, group, volume.
        let times = if version == 1 { 32 } else { 20 };
        reader.advance(times + 16)?;
        let matrix: [u8; 36] = reader.take()?;
        let (width, height): ([u8; 4], [u8; 4]) = (reader.take()?, reader.take()?);
        // Both are fixed-point numbers with 16 bits behind the point.
        let whole = |bytes: [u8; 4]| u32::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        let (width, height) = (whole(width), whole(height));
        // Films that are taken upright lie on their side, and the matrix turns them: its first number is 0 then.
        let turned = matrix[..4] == [0; 4] && matrix[4..8] != [0; 4];
        if let Some(track) = self.tracks.last_mut() {
            (track.width, track.height) = if turned { (height, width) } else { (width, height) };
        }
        Ok(())
    }
}

fn ticks<R: Read + Seek>(reader: &mut Reader<R>, version: u8) -> Result<u64, MediaRefused> {
    match version {
        1 => Ok(u64::from_be_bytes(reader.take()?)),
        _ => Ok(u32::from_be_bytes(reader.take()?).into()),
    }
}
