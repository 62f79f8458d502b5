use std::fmt;

use crate::Mime;

const MIB: u64 = 1024 * 1024;

/// What a message shows its media as; the `type` of a message with media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A film shown as a circle.
    VideoNote,
    /// Sound, with a player.
    Audio,
    /// Sound as a voice note.
    Voice,
    /// A file.
    Document,
    /// A sticker: a WebP picture, or what can be made one.
    Sticker,
}

struct Row {
    kind: Kind,
    name: &'static str,
    size_max: u64,
    /// Empty: any type.
    types: &'static [&'static str],
}

/// Sizes are caps of ours. WhatsApp's Cloud API publishes less for businesses (images 5 MB, video and audio 16 MB, documents
/// 100 MB, stickers 100 and 500 KB); its apps take more. Video and audio types are those that it publishes
/// (<https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media>) and WAV; images are what the apps show.
const TABLE: &[Row] = &[
    Row {
        kind: Kind::Image,
        name: "image",
        size_max: 16 * MIB,
        types: &["image/jpeg", "image/png", "image/webp", "image/gif"],
    },
    Row { kind: Kind::Video, name: "video", size_max: 64 * MIB, types: &["video/mp4", "video/3gpp"] },
    Row {
        kind: Kind::VideoNote,
        name: "video_note",
        size_max: 64 * MIB,
        types: &["video/mp4", "video/3gpp"],
    },
    Row {
        kind: Kind::Audio,
        name: "audio",
        size_max: 64 * MIB,
        types: &["audio/ogg; codecs=opus", "audio/mpeg", "audio/mp4", "audio/aac", "audio/amr", "audio/wav"],
    },
    Row { kind: Kind::Voice, name: "voice", size_max: 64 * MIB, types: &["audio/ogg; codecs=opus"] },
    Row { kind: Kind::Document, name: "document", size_max: 100 * MIB, types: &[] },
    Row {
        kind: Kind::Sticker,
        name: "sticker",
        size_max: MIB,
        types: &["image/webp", "image/png", "image/jpeg"],
    },
];

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Image, Self::Video, Self::VideoNote, Self::Audio, Self::Voice, Self::Document, Self::Sticker];

    /// The kind that the API calls so.
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.kind)
    }

    /// What the API calls it.
    pub fn as_str(self) -> &'static str {
        self.row().name
    }

    /// How large a file may be, in bytes.
    pub fn size_max(self) -> u64 {
        self.row().size_max
    }

    /// Which types it takes; none are named where any will do.
    pub fn types(self) -> &'static [&'static str] {
        self.row().types
    }

    /// True for a type that it takes.
    pub fn takes(self, mime: Mime) -> bool {
        self.types().is_empty() || self.types().contains(&mime.as_str())
    }

    fn row(self) -> &'static Row {
        // The table has a row for each kind: a test goes through all of them.
        TABLE.iter().find(|row| row.kind == self).unwrap_or(&TABLE[0])
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
