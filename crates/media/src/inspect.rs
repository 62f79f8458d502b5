use std::{
    io::{Read, Seek},
    time::Duration,
};

use crate::{Kind, MediaRefused, Mime, WAVEFORM_VALUES, movie, picture, reader::Reader, sound};

/// What a file says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Pixels across, as it is shown: turned as the camera says. Of pictures and films.
    pub width: Option<u32>,
    /// Pixels down, as it is shown.
    pub height: Option<u32>,
    /// How long it plays, as far as the file says. AAC and AMR do not, nor do films that are recorded in fragments.
    pub duration: Option<Duration>,
    /// Of voice notes: how loud it is over its length, each 0 to 100. See [`inspect`].
    pub waveform: Option<[u8; WAVEFORM_VALUES]>,
    /// Of pictures: a small JPEG, [`crate::THUMBNAIL_SIDE`] pixels at most on each side.
    pub thumbnail: Option<Vec<u8>>,
    /// True for a GIF or WebP of more than one frame.
    pub animated: bool,
}

/// Looks into a file that [`examine`](crate::examine) took for `kind` and `mime`. Refuses what is cut off, damaged, would
/// unfold to more than is allowed, or goes on behind its end. Documents are not looked into.
///
/// Of an animated picture the first frame is decoded, and of the others only whether they are there. Of a film the boxes are
/// read, not the pictures. The waveform is made of the sizes of the Opus packets: what is loud or rich takes more bytes where
/// the bit rate varies, as in all recorders' usual settings; with a constant bit rate it is flat.
pub fn inspect<R: Read + Seek>(kind: Kind, mime: Mime, source: R) -> Result<Facts, MediaRefused> {
    let reader = Reader::new(source, kind)?;
    if !kind.takes(mime) {
        return Err(MediaRefused::TypeNotAllowed { kind, found: mime });
    }
    match (kind, mime.as_str()) {
        (Kind::Document, _) => Ok(Facts::default()),
        (Kind::Image | Kind::Sticker, _) => picture::facts(mime, reader),
        (_, "video/mp4" | "video/3gpp" | "audio/mp4") => movie::facts(kind, reader),
        (_, "audio/mpeg") => sound::mp3(reader),
        (_, "audio/wav") => sound::wav(reader),
        (_, "audio/ogg; codecs=opus") => sound::ogg_opus(reader, kind),
        _ => Ok(Facts::default()),
    }
}
