//! Media that a phone gets: it fetches the file at once, checks and decrypts it, as the apps do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wacore::download::{DownloadUtils, MediaType};
use waproto::whatsapp as wa;

use super::{Found, find};
use crate::content;
use crate::error::Failure;
use crate::turn::Turn;

/// A file in a phone's inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MediaInfo {
    /// As its sender says.
    pub mime_type: Option<String>,
    /// Of a document.
    pub filename: Option<String>,
    /// Bytes of the decrypted file; as its sender says when the phone could not fetch it.
    pub size_bytes: u64,
    /// Of the decrypted file, base64.
    pub sha256: Option<String>,
    /// `ok` (fetched, decrypted, both hashes right), `gone`, or `invalid`.
    pub state: String,
}

/// How a message names a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Reference {
    pub kind: String,
    pub mime_type: Option<String>,
    pub filename: Option<String>,
    pub key: Vec<u8>,
    pub hash: Vec<u8>,
    pub sealed_hash: Vec<u8>,
    pub direct_path: String,
    pub size: u64,
    pub state: String,
}

impl Reference {
    pub(crate) fn info(&self) -> MediaInfo {
        MediaInfo {
            mime_type: self.mime_type.clone(),
            filename: self.filename.clone(),
            size_bytes: self.size,
            sha256: (!self.hash.is_empty()).then(|| STANDARD.encode(&self.hash)),
            state: self.state.clone(),
        }
    }

    /// The file that a message names, if it names one.
    pub(crate) fn of(message: &wa::Message) -> Option<Self> {
        let message = content::inner(message);
        macro_rules! named {
            ($kind:literal, $file:expr, $filename:expr) => {
                Self {
                    kind: $kind.to_owned(),
                    mime_type: $file.mimetype.clone(),
                    filename: $filename,
                    key: $file.media_key.clone().unwrap_or_default(),
                    hash: $file.file_sha256.clone().unwrap_or_default(),
                    sealed_hash: $file.file_enc_sha256.clone().unwrap_or_default(),
                    direct_path: $file.direct_path.clone().unwrap_or_default(),
                    size: $file.file_length.unwrap_or(0),
                    state: "gone".to_owned(),
                }
            };
        }
        if let Some(file) = message.image_message.as_option() {
            return Some(named!("image", file, None));
        }
        if let Some(file) = message.video_message.as_option().or_else(|| message.ptv_message.as_option()) {
            return Some(named!("video", file, None));
        }
        if let Some(file) = message.audio_message.as_option() {
            return Some(named!("audio", file, None));
        }
        if let Some(file) = message.document_message.as_option() {
            return Some(named!("document", file, file.file_name.clone()));
        }
        if let Some(file) = message.sticker_message.as_option() {
            return Some(named!("sticker", file, None));
        }
        None
    }

    fn protocol(&self) -> MediaType {
        match self.kind.as_str() {
            "image" => MediaType::Image,
            "video" => MediaType::Video,
            "audio" => MediaType::Audio,
            "sticker" => MediaType::Sticker,
            _ => MediaType::Document,
        }
    }
}

/// Fetches the file that the message names, and says what came of it.
pub(crate) fn receive(turn: &Turn<'_>, message: &wa::Message) -> Result<Option<Reference>, Failure> {
    let Some(mut file) = Reference::of(message) else { return Ok(None) };
    let name = file.direct_path.rsplit('/').next().unwrap_or_default();
    if let Found::Bytes { bytes, .. } = find(turn, name)? {
        match open(&file, &bytes) {
            Some(size) => {
                file.state = "ok".to_owned();
                file.size = size;
            },
            None => file.state = "invalid".to_owned(),
        }
    }
    Ok(Some(file))
}

/// The size of the decrypted file, when everything about it is right.
fn open(file: &Reference, sealed: &[u8]) -> Option<u64> {
    if Sha256::digest(sealed).as_slice() != file.sealed_hash {
        return None;
    }
    let mut plain = Vec::with_capacity(sealed.len());
    DownloadUtils::decrypt_stream_to_writer(sealed, &file.key, file.protocol(), &mut plain).ok()?;
    (Sha256::digest(&plain).as_slice() == file.hash).then(|| u64::try_from(plain.len()).unwrap_or(0))
}
