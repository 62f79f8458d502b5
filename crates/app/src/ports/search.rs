use async_trait::async_trait;
use jiff::Timestamp;
use waxwing_domain::{AccountId, Jid, MessageId, SessionId};

use super::PortError;
use crate::{search::Terms, views::origin_at};

/// A message with what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The message.
    pub message: MessageId,
    /// Its session.
    pub session: SessionId,
    /// Its chat, under the address that keys it.
    pub chat: Jid,
    /// By what it is sorted, in milliseconds; the same in every version.
    pub committed_at: Timestamp,
    /// The version of the message's stream that says so.
    pub version: u64,
    /// Its text; empty when it has none any more.
    pub text: String,
}

/// A message that was found, and where it stands: by time, then in an order of the engine's own that does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// When it was committed, in milliseconds.
    pub committed_at: Timestamp,
    /// Which.
    pub message: MessageId,
}

impl Found {
    /// As lists of messages write it.
    pub fn position(&self) -> String {
        format!("{:015}/{}", self.committed_at.as_millisecond().max(0), self.message)
    }

    /// The reverse of [`Self::position`]; also reads positions in lists of messages.
    pub fn parse(position: &str) -> Option<Self> {
        let (time_ms, message, _) = origin_at(position)?;
        Some(Self { committed_at: Timestamp::from_millisecond(time_ms).ok()?, message })
    }
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// What the text has to have.
    pub terms: Terms,
    /// Of this session only.
    pub session: Option<SessionId>,
    /// In one of these chats only; in all where there is none.
    pub chats: Vec<Jid>,
    /// Committed after this millisecond.
    pub after: Option<Timestamp>,
    /// Committed before this millisecond.
    pub before: Option<Timestamp>,
    /// Newest first.
    pub descending: bool,
    /// Most messages to return: up to 1,000.
    pub limit: usize,
    /// Behind this one, in that order.
    pub cursor: Option<Found>,
}

/// A page of what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchPage {
    /// Up to the limit, and fewer where the engine has looked at as much as it does for one page.
    pub found: Vec<Found>,
    /// Where to go on; `None` at the end.
    pub next: Option<Found>,
}

/// Messages by their words. Words are those of [`crate::search::words`], so engines find the same. What an account has here
/// goes with its rows: [`super::Erasure`].
#[async_trait]
pub trait Search: Send + Sync {
    /// Replaces what was indexed of these messages, each at most once and 1,000 at once; durable when this returns. A version
    /// below the indexed one changes nothing. An engine may index only the first words of a text, as it says.
    async fn index(&self, account: AccountId, documents: Vec<Document>) -> Result<(), PortError>;

    /// The account's messages that have what is looked for.
    async fn search(&self, account: AccountId, query: &SearchQuery) -> Result<SearchPage, PortError>;
}
