use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use waxwing_domain::AccountId;

use super::PortError;

/// Name of an event stream inside its account: aggregate type and id, `message/msg_…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamName(pub String);

impl StreamName {
    /// The stream of the aggregate `kind` with this id.
    pub fn new(kind: &str, id: impl fmt::Display) -> Self {
        Self(format!("{kind}/{id}"))
    }

    /// The aggregate type: what stands before the slash.
    pub fn kind(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(kind, _)| kind)
    }

    /// The id: what stands behind the slash.
    pub fn id(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, id)| id)
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All events of one command: one row or item, written once and never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The tenant it belongs to.
    pub account: AccountId,
    /// The stream it belongs to.
    pub stream: StreamName,
    /// Number of the commit in its stream, from 1, without gaps.
    pub version: u64,
    /// Stored types of its events, in order, in clear, so that consumers filter without decrypting.
    pub types: Vec<String>,
    /// Who caused it: an API key's id, a user's id, or `system`.
    pub actor: String,
    /// The API request that caused it.
    pub request_id: Option<String>,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
    /// When it was decided, with millisecond precision.
    pub at: Timestamp,
    /// Which of the account's data keys encrypted the payload.
    pub key_id: String,
    /// The events as encrypted JSON.
    pub payload: Vec<u8>,
}

/// A keyed hash: what is claimed cannot be read from the claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimKey(pub String);

/// Something unique that is taken or given back together with a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Take it, or the commit does not happen.
    Take {
        /// What is claimed.
        key: ClaimKey,
        /// What a later reader of the claim finds.
        value: Vec<u8>,
        /// A claim past this time counts as free.
        expires_at: Option<Timestamp>,
    },
    /// Give it back. Giving back what nobody holds is fine.
    Release {
        /// What is given back.
        key: ClaimKey,
    },
}

/// A sortable text that orders the feed: journal position on the embedded engine, message id on AWS. Opaque.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Order(pub String);

/// How an append ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is durable, at this place of the feed.
    Done(Order),
    /// The stream's head is not where the writer thought.
    HeadMoved,
    /// A claim is held by another; this is what that one left.
    ClaimTaken {
        /// The claim.
        key: ClaimKey,
        /// Its value.
        value: Vec<u8>,
    },
}

/// The journal: commits by stream, with claims.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Appends `commit` if the stream's head is `commit.version - 1` and every claim is free: all of it or nothing,
    /// durable when this returns. A stream whose head is 0 does not exist yet.
    async fn append(&self, commit: Commit, claims: Vec<Claim>) -> Result<Appended, PortError>;

    /// The whole stream, oldest first, strongly consistent. Empty when there is none.
    async fn read(&self, account: AccountId, stream: &StreamName) -> Result<Vec<Commit>, PortError>;

    /// What the holder of a claim left, strongly consistent; `None` when it is free or past its time.
    async fn claim(&self, key: &ClaimKey) -> Result<Option<Vec<u8>>, PortError>;
}

/// A commit at its place in the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedItem {
    /// Its place.
    pub order: Order,
    /// The commit.
    pub commit: Commit,
}

/// Commits to consumers, at least once, in order per stream.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Up to `limit` commits after the consumer's checkpoint, in order. With `kinds`, only streams of these aggregate types.
    /// Does not move the checkpoint.
    async fn next(&self, consumer: &str, kinds: &[&str], limit: usize) -> Result<Vec<FeedItem>, PortError>;

    /// Everything up to and including `order` is handled: a later [`Feed::next`] starts behind it, also after a crash.
    /// A checkpoint never moves backwards.
    async fn acknowledge(&self, consumer: &str, order: &Order) -> Result<(), PortError>;

    /// Returns when something may have been appended since the last [`Feed::next`] of this consumer (it may be a false alarm).
    async fn changed(&self, consumer: &str);
}
