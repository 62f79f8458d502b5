//! Every trait that the outside implements. An engine (embedded, AWS) translates and never decides.

mod erasure;
mod gateway;
mod http_post;
mod journal;
mod mailer;
mod media_fetch;
mod records;
mod search;
mod secrets;
mod system;
mod work;

pub use erasure::{Erased, Erasure, KeyCustody, KeyOwners};
pub use gateway::{
    Census, CountsSessions, Gateway, GatewayError, Pairing, PairingCode, PairingCodeError, SandboxAnswer,
    SandboxControl, SandboxRequest,
};
pub use http_post::{WebhookPost, WebhookPostError, WebhookRequest};
pub use journal::{Appended, Claim, ClaimKey, Commit, Feed, FeedItem, Journal, Order, StreamName};
pub use mailer::{MailError, Mailer};
pub use media_fetch::{FetchError, Fetched, FetchedBody, MediaFetch};
pub use records::{Bounds, Consistency, Guard, IndexEntry, Key, Query, Records, Row, Write};
pub use search::{Document, Found, Search, SearchPage, SearchQuery};
pub use secrets::{KeyedHash, Sealed, SecretBox};
pub use system::{Clock, Entropy, EntropyExt};
pub use work::{DeadJob, Job, NewJob, Queue, Work};

/// What can go wrong behind a port. Callers branch on these and on nothing else.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// A guard did not hold: somebody else wrote first.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The thing is not there.
    #[error("not found: {0}")]
    NotFound(String),
    /// What is stored was made unreadable for good: its key was destroyed.
    #[error("erased: {0}")]
    Erased(String),
    /// Too much at once; worth a retry after a pause.
    #[error("throttled: {0}")]
    Throttled(String),
    /// The engine cannot be reached or cannot write (a full disk, say); worth a retry.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// What is stored cannot be read. A retry does not help.
    #[error("corrupt: {0}")]
    Corrupt(String),
}

impl PortError {
    /// True when the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled(_) | Self::Unavailable(_))
    }
}
