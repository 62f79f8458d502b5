use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::PortError;

/// The bytes of an answer, as they come. It ends with the first error:
/// [`PortError::Corrupt`] where there are more bytes than allowed, which a retry does not help,
/// [`PortError::Unavailable`] where the connection broke or took too long.
pub type FetchedBody = BoxStream<'static, Result<Bytes, PortError>>;

/// A file that is on its way.
pub struct Fetched {
    /// `Content-Type` as the server says. Not to be believed.
    pub content_type: Option<String>,
    /// What the server, or else the address, calls the file: without folders and control characters, 255 bytes at most.
    pub filename: Option<String>,
    /// The file.
    pub body: FetchedBody,
}

/// Why there is no file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address is no URL of http or https, or private, loopback, link-local or a metadata service.
    #[error("the address may not be reached: {0}")]
    Forbidden(String),
    /// The server sends on to another address, which is not followed.
    #[error("the address redirects (status {0}); redirects are not followed")]
    Redirected(u16),
    /// The server answers, and not with the file. Worth a retry from 500 on, and for 408 and 429.
    #[error("the server answers with status {0}")]
    Status(u16),
    /// The server announces more bytes than allowed.
    #[error("the file is larger than {size_max} bytes")]
    TooLarge {
        /// The limit, in bytes.
        size_max: u64,
    },
    /// No connection, no answer in time, or a broken one; worth a retry.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

/// Fetches files that customers name. Follows no redirect, and looks at the address after it was resolved, for the very
/// connection.
#[async_trait]
pub trait MediaFetch: Send + Sync {
    /// Asks for the file; its body comes as it is read, `size_max` bytes of it at most.
    async fn fetch(&self, url: &str, size_max: u64) -> Result<Fetched, FetchError>;

    /// Refuses an address that could never be fetched: its scheme, or a literal address out of bounds. Asks nobody.
    fn check_url(&self, url: &str) -> Result<(), FetchError>;
}
