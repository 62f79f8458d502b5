//! Files: encrypted with a key of their own, kept by the network's media hosts, and named in messages.

use std::fmt;
use std::future::Future;

use sha2::{Digest as _, Sha256};
use wacore::download::MediaType;
use whatsapp_rust::download::DownloadParams;
use whatsapp_rust::{ErrorChainExt as _, UploadOptions, anyhow};

use super::Connection;

/// Longest file: 100 MiB.
pub const MEDIA_BYTES_MAX: usize = 100 * 1_024 * 1_024;

/// Kinds of files. Each has keys and paths of its own: a file of one kind cannot be opened as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound file, or a sound that was spoken into the phone.
    Audio,
    /// Any file.
    Document,
    /// A sticker.
    Sticker,
}

impl MediaKind {
    fn to_library(self) -> MediaType {
        match self {
            Self::Image => MediaType::Image,
            Self::Video => MediaType::Video,
            Self::Audio => MediaType::Audio,
            Self::Document => MediaType::Document,
            Self::Sticker => MediaType::Sticker,
        }
    }
}

/// A file as a message names it.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// What it is.
    pub kind: MediaKind,
    /// Where every media host of the network has it.
    pub direct_path: String,
    /// What its keys are derived from. A secret.
    pub key: [u8; 32],
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// SHA-256 of what the network keeps.
    pub encrypted_sha256: [u8; 32],
    /// Bytes of the file.
    pub size_bytes: u64,
}

impl fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, direct_path, size_bytes, .. } = self;
        let mut shown = f.debug_struct("MediaFile");
        shown.field("kind", kind).field("direct_path", direct_path).field("size_bytes", size_bytes);
        shown.finish_non_exhaustive()
    }
}

/// Why a file was not uploaded or downloaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// There is no connection, or it is not logged in yet: it names the media hosts.
    #[error("the session is not connected")]
    NotConnected,
    /// Files have 1 to [`MEDIA_BYTES_MAX`] bytes.
    #[error("a file has 1 to {MEDIA_BYTES_MAX} bytes")]
    Size,
    /// The network does not have it, or no longer (404, 410).
    #[error("the network does not have this file any more")]
    Gone,
    /// Something on the way failed, or what came is not the file.
    #[error("the file could not be transferred: {0}")]
    Failed(String),
}

impl From<anyhow::Error> for MediaError {
    fn from(error: anyhow::Error) -> Self {
        let cause: &(dyn std::error::Error + 'static) = error.as_ref();
        match cause.http_status() {
            Some(404 | 410) => Self::Gone,
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl Connection {
    /// Encrypts a file and uploads it.
    ///
    /// # Errors
    /// All but [`MediaError::Gone`]. After a failure the network may have it nevertheless; it costs nobody anything.
    pub async fn upload(&self, kind: MediaKind, bytes: Vec<u8>) -> Result<MediaFile, MediaError> {
        if bytes.is_empty() || bytes.len() > MEDIA_BYTES_MAX {
            return Err(MediaError::Size);
        }
        let upload = self.client.upload(bytes, kind.to_library(), UploadOptions::new());
        let file = self.while_open(upload).await?;
        Ok(MediaFile {
            kind,
            direct_path: file.direct_path,
            key: file.media_key,
            sha256: file.file_sha256,
            encrypted_sha256: file.file_enc_sha256,
            size_bytes: file.file_length,
        })
    }

    /// Downloads a file, checks both of its hashes, and decrypts it.
    ///
    /// # Errors
    /// Each [`MediaError`]; [`MediaError::Size`] when the message says that it is too long.
    pub async fn download(&self, file: &MediaFile) -> Result<Vec<u8>, MediaError> {
        if usize::try_from(file.size_bytes).map_or(true, |size| size > MEDIA_BYTES_MAX) {
            return Err(MediaError::Size);
        }
        let named = DownloadParams::encrypted(
            file.direct_path.as_str(),
            &file.key,
            &file.sha256,
            &file.encrypted_sha256,
            file.size_bytes,
            file.kind.to_library(),
        );
        let bytes = self.while_open(self.client.download(&named)).await?;
        // The library checks what the network keeps, and its authentication code.
        match Sha256::digest(&bytes).as_slice() == file.sha256 {
            true => Ok(bytes),
            false => Err(MediaError::Failed("its hash is another".to_owned())),
        }
    }

    async fn while_open<T>(
        &self,
        transfer: impl Future<Output = anyhow::Result<T>>,
    ) -> Result<T, MediaError> {
        if !self.is_connected() {
            return Err(MediaError::NotConnected);
        }
        tokio::select! {
            done = transfer => Ok(done?),
            () = self.shared.gate.closed() => Err(MediaError::Failed("the session was closed".to_owned())),
        }
    }
}
