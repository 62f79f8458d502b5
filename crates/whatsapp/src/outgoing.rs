//! Outgoing messages.

use waxwing_domain::{Content, Context, Jid, Timestamp, message::Operation};
use whatsapp_rust::send::SendError as LibraryError;

/// A message to send. The same value sent twice is one message for its recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct OutgoingMessage {
    /// Its id, made with the command.
    pub whatsapp_id: String,
    /// The recipient.
    pub to: Jid,
    /// What is sent.
    pub payload: Outgoing,
    /// Votes, answers and edits are encrypted with it. Made with the command, the same for every attempt.
    pub message_secret: [u8; 32],
}

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Outgoing {
    /// A message.
    Message {
        /// What it says.
        content: Content,
        /// What it says beside that.
        context: Box<Context>,
    },
    /// Something that is done to a message of the chat.
    Operation {
        /// What.
        operation: Operation,
        /// WhatsApp's id of the message.
        target: String,
        /// Who wrote it, where somebody else than the account's owner did.
        author: Option<Jid>,
        /// When it was asked for.
        at: Timestamp,
    },
}

/// Why a message did not reach the socket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no connection, or it is not logged in yet: send again on the next [`Connected`](crate::ConnectionEvent::Connected).
    #[error("the session is not connected")]
    NotConnected,
    /// This content or this recipient cannot be sent. A retry does not help.
    #[error("cannot be sent: {0}")]
    Invalid(String),
    /// Something on the way failed; it may or may not have left. Send again with the same id.
    #[error("the send failed: {0}")]
    Failed(String),
}

impl From<LibraryError> for SendError {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::NotLoggedIn => Self::NotConnected,
            LibraryError::InvalidRequest(reason) => Self::Invalid(reason),
            other => Self::Failed(other.to_string()),
        }
    }
}
