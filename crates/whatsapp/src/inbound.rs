//! Inbound messages: committed before the network is told that it may forget them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use waxwing_domain::{Content, Context, Person, Timestamp, message::Operation};
use whatsapp_rust::types::events::InboundMessage as LibraryMessage;
use whatsapp_rust::{Client, InboundDurabilityHook, anyhow};

use crate::convert;
use crate::handler::Shared;

/// The first pause after a failed commit; it doubles up to [`COMMIT_PAUSE_MAX`].
const COMMIT_PAUSE_MIN: Duration = Duration::from_millis(50);
const COMMIT_PAUSE_MAX: Duration = Duration::from_secs(3);

/// A message that somebody sent to this account, or that the account's own phone sent.
#[derive(Debug, Clone, PartialEq)]
pub struct InboundMessage {
    /// Its id; unique inside (chat, sender) only.
    pub whatsapp_id: String,
    /// The conversation.
    pub chat: Person,
    /// The sender.
    pub from: Person,
    /// True when the account's own phone, or another of its devices, sent it.
    pub from_me: bool,
    /// The name that the sender gave.
    pub push_name: Option<String>,
    /// When the server took it, to the second.
    pub at: Timestamp,
    /// What came.
    pub what: Inbound,
    /// True when it waited on the server while this device was away.
    pub was_offline: bool,
}

/// What came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Inbound {
    /// A message.
    Message {
        /// What it says.
        content: Content,
        /// What it says beside that.
        context: Box<Context>,
    },
    /// Something was done to a message; with the content to record where that message is not known.
    Operation(ObservedOperation, Content),
}

/// What somebody did to a message of the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedOperation {
    /// WhatsApp's id of the message.
    pub target: String,
    /// Who wrote it, where somebody else than the account's owner did.
    pub author: Option<Person>,
    /// What was done.
    pub operation: Operation,
    /// As an administrator of the group: the network says so, and lets nobody else.
    pub as_admin: bool,
}

/// The message could not be committed now.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the message was not committed: {0}")]
pub struct InboundError(pub String);

/// Takes inbound messages.
#[async_trait]
pub trait InboundSink: Send + Sync {
    /// Durable when it returns; then, and only then, the network forgets the message. Has to be idempotent by (chat,
    /// sender, WhatsApp id): a message may come again. Called while the sender's Signal lock is held, so it must not
    /// wait for anything sent on the same connection. What fails or hangs is tried again until the session's
    /// `commit_budget` is used up; then the connection drops, and the message comes again on the next one.
    async fn commit(&self, message: InboundMessage) -> Result<(), InboundError>;
}

/// The library's hook on the sink.
pub(crate) struct CommitHook {
    pub(crate) shared: Arc<Shared>,
}

#[async_trait]
impl InboundDurabilityHook for CommitHook {
    async fn on_messages(&self, _client: Arc<Client>, batch: &[LibraryMessage]) -> anyhow::Result<()> {
        let deadline = self.shared.commit_deadline();
        for message in batch {
            // A later message of a chat must not overtake one that has to come again.
            anyhow::ensure!(!self.shared.is_stalled(), "an earlier message was not committed");
            if let Err(error) = commit(&self.shared, message, deadline).await {
                // What was not committed comes again on the next connect and not before.
                self.shared.stall(format!("an inbound message could not be committed: {error}"));
                return Err(error.into());
            }
        }
        Ok(())
    }
}

/// Commits one message, trying again until `deadline`.
pub(crate) async fn commit(
    shared: &Shared,
    message: &LibraryMessage,
    deadline: Instant,
) -> Result<(), InboundError> {
    let Some(message) = convert::inbound(message, shared.me().as_ref(), shared.state()) else {
        return Ok(());
    };
    let mut pause = COMMIT_PAUSE_MIN;
    loop {
        let attempt = tokio::time::timeout_at(deadline, shared.sink.commit(message.clone())).await;
        let Err(error) = attempt.unwrap_or_else(|_| Err(InboundError("it took too long".to_owned()))) else {
            return Ok(());
        };
        if shared.is_closed() || Instant::now() + pause >= deadline {
            tracing::warn!(whatsapp_id = message.whatsapp_id, %error, "an inbound message could not be committed");
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(COMMIT_PAUSE_MAX);
    }
}
