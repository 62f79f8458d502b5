//! Media that a phone sends: encrypted with a key of its own, uploaded, and named in a message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buffa::MessageField;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use wacore::download::MediaType;
use wacore::upload::MediaEncryptor;
use waproto::whatsapp as wa;

use super::store;
use crate::error::Failure;
use crate::kinds::{NewFile, NewMessage};
use crate::phones::Phone;
use crate::turn::Turn;

/// Kinds of media, as the public API names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A film that was made in the chat, shown in a circle.
    VideoNote,
    /// A sound file.
    Audio,
    /// A sound that was spoken into the phone.
    Voice,
    /// Any file.
    Document,
    /// A sticker.
    Sticker,
}

impl Kind {
    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "image" => Self::Image,
            "video" => Self::Video,
            "video_note" => Self::VideoNote,
            "audio" => Self::Audio,
            "voice" => Self::Voice,
            "document" => Self::Document,
            "sticker" => Self::Sticker,
            _ => return None,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::VideoNote => "video_note",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }

    /// With what keys are derived.
    fn protocol(self) -> MediaType {
        match self {
            Self::Image => MediaType::Image,
            Self::Video | Self::VideoNote => MediaType::Video,
            Self::Audio | Self::Voice => MediaType::Audio,
            Self::Document => MediaType::Document,
            Self::Sticker => MediaType::Sticker,
        }
    }

    fn default_mime_type(self) -> &'static str {
        match self {
            Self::Image => "image/jpeg",
            Self::Video | Self::VideoNote => "video/mp4",
            Self::Audio => "audio/mpeg",
            Self::Voice => "audio/ogg; codecs=opus",
            Self::Document => "application/octet-stream",
            Self::Sticker => "image/webp",
        }
    }
}

/// A file as a message names it.
pub(crate) struct Sealed {
    pub key: Vec<u8>,
    pub hash: Vec<u8>,
    pub sealed_hash: Vec<u8>,
    pub size: u64,
    pub direct_path: String,
}

/// Encrypts a file with a key of its own, and stores it.
pub(crate) fn seal(
    turn: &mut Turn<'_>,
    network: i64,
    kind: MediaType,
    bytes: &[u8],
) -> Result<Sealed, Failure> {
    let key: [u8; 32] = turn.generator(network)?.random();
    let mut encryptor = MediaEncryptor::with_key(key, kind).map_err(Failure::protocol)?;
    let mut sealed = Vec::with_capacity(bytes.len() + 32);
    encryptor.update(bytes, &mut sealed);
    let info = encryptor.finalize(&mut sealed).map_err(Failure::protocol)?;
    let direct_path = store(turn, network, &info.file_enc_sha256, &sealed)?;
    Ok(Sealed {
        key: key.to_vec(),
        hash: info.file_sha256.to_vec(),
        sealed_hash: info.file_enc_sha256.to_vec(),
        size: info.file_length,
        direct_path,
    })
}

/// A file that a phone sends.
#[derive(Debug, Clone, Serialize)]
pub struct NewMedia {
    /// What it is.
    pub kind: Kind,
    /// 1 byte to 100 MiB.
    pub bytes: Vec<u8>,
    /// The kind's most common one when absent.
    pub mime_type: Option<String>,
    /// Of an image, a video or a document; up to 65,536 characters.
    pub caption: Option<String>,
    /// Of a document; up to 255 characters.
    pub filename: Option<String>,
}

impl From<NewMedia> for NewMessage {
    fn from(media: NewMedia) -> Self {
        let file = NewFile { data: STANDARD.encode(&media.bytes), mime_type: media.mime_type };
        Self {
            r#type: media.kind.name().to_owned(),
            media: Some(file),
            caption: media.caption,
            filename: media.filename,
            ..Default::default()
        }
    }
}

/// Encrypts and stores the file, gives the message that names it.
pub(crate) fn compose(
    turn: &mut Turn<'_>,
    phone: &Phone,
    kind: Kind,
    new: &NewMessage,
) -> Result<wa::Message, Failure> {
    let file = seal(turn, phone.network, kind.protocol(), &new.file()?)?;
    let said = new.media.as_ref().and_then(|media| media.mime_type.clone());
    let mimetype = Some(said.unwrap_or_else(|| kind.default_mime_type().to_owned()));
    let (media_key, file_sha256) = (Some(file.key), Some(file.hash));
    let (file_enc_sha256, file_length) = (Some(file.sealed_hash), Some(file.size));
    let direct_path = Some(file.direct_path);
    let media_key_timestamp = Some(turn.now / 1_000);
    let (caption, jpeg_thumbnail) = (new.caption.clone(), new.small_picture()?);
    let (width, height, seconds) = (new.width, new.height, new.duration_s);
    let view_once = new.view_once.filter(|once| *once);
    // The messages share these fields, but no type.
    macro_rules! with_file {
        ($message:ident { $($field:ident: $value:expr),* $(,)? }) => {
            MessageField::some(wa::message::$message {
                mimetype, media_key, file_sha256, file_enc_sha256, direct_path, file_length,
                media_key_timestamp, $($field: $value,)* ..Default::default()
            })
        };
    }
    let mut message = wa::Message::default();
    match kind {
        Kind::Image => {
            message.image_message = with_file!(ImageMessage {
                caption: caption,
                jpeg_thumbnail: jpeg_thumbnail,
                width: width,
                height: height,
                view_once: view_once,
            });
        },
        Kind::Video | Kind::VideoNote => {
            let video = with_file!(VideoMessage {
                caption: caption,
                jpeg_thumbnail: jpeg_thumbnail,
                width: width,
                height: height,
                seconds: seconds,
                gif_playback: new.animated,
                view_once: view_once,
            });
            match kind {
                Kind::Video => message.video_message = video,
                _ => message.ptv_message = video,
            }
        },
        Kind::Audio => message.audio_message = with_file!(AudioMessage { seconds: seconds }),
        Kind::Voice => {
            message.audio_message = with_file!(AudioMessage {
                ptt: Some(true),
                seconds: seconds,
                waveform: new.waveform.clone(),
                view_once: view_once,
            });
        },
        Kind::Document => {
            let (title, file_name) = (new.filename.clone(), new.filename.clone());
            message.document_message = with_file!(DocumentMessage {
                caption: caption,
                title: title,
                file_name: file_name,
                jpeg_thumbnail: jpeg_thumbnail,
            });
        },
        Kind::Sticker => {
            message.sticker_message = with_file!(StickerMessage {
                png_thumbnail: jpeg_thumbnail,
                width: width,
                height: height,
                is_animated: new.animated,
            });
        },
    }
    Ok(message)
}
