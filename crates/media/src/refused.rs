use crate::{Kind, Mime};

/// Why a file is not sent. Its text is for people; [`code`](Self::code) is for programs and stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaRefused {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// More bytes than its kind may have.
    #[error("the file is larger than {size_max} bytes, the limit for `{kind}`")]
    TooLarge {
        /// What it was to be sent as.
        kind: Kind,
        /// The limit, in bytes.
        size_max: u64,
    },
    /// A type that this kind of message does not take.
    #[error("the file is {found}; `{kind}` takes {}", .kind.types().join(", "))]
    TypeNotAllowed {
        /// What it was to be sent as.
        kind: Kind,
        /// What its bytes are.
        found: Mime,
    },
    /// The request says one type, the bytes are another.
    #[error("the file is said to be {declared}, and its bytes are {found}")]
    Mislabelled {
        /// What the request says, cut to 100 characters.
        declared: String,
        /// What its bytes are.
        found: Mime,
    },
    /// The end is missing.
    #[error("the file is cut off: {0}")]
    Truncated(String),
    /// It is not what its first bytes promise.
    #[error("the file is damaged: {0}")]
    Corrupt(String),
    /// It would take more memory or time than any file of its kind should.
    #[error("the file unfolds to more than is allowed: {0}")]
    Bomb(String),
    /// Something else follows the picture, the film or the sound.
    #[error("the file goes on for {bytes} bytes after its end; up to {max} are allowed", max = crate::TRAILING_MAX)]
    TrailingData {
        /// How much follows.
        bytes: u64,
    },
    /// No sticker can be made of it.
    #[error("the file cannot be a sticker: {0}")]
    NoSticker(String),
    /// The file could not be read. This says nothing about the file; a retry may help.
    #[error("the file could not be read: {0}")]
    Unreadable(String),
}

impl MediaRefused {
    /// A name that stays the same, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "media_empty",
            Self::TooLarge { .. } => "media_too_large",
            Self::TypeNotAllowed { .. } => "media_type_not_allowed",
            Self::Mislabelled { .. } => "media_mislabelled",
            Self::Truncated(_) => "media_truncated",
            Self::Corrupt(_) => "media_corrupt",
            Self::Bomb(_) => "media_bomb",
            Self::TrailingData { .. } => "media_trailing_data",
            Self::NoSticker(_) => "media_no_sticker",
            Self::Unreadable(_) => "media_unreadable",
        }
    }
}
