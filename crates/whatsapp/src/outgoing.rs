//! Outgoing messages.

use waxwing_app::ports::{Entropy, EntropyExt};
use waxwing_domain::{Content, Jid};
use whatsapp_rust::send::SendError as LibraryError;

/// A message to send. The same value sent twice is one message for its recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct OutgoingMessage {
    /// Its id, made with the command by [`new_whatsapp_id`].
    pub whatsapp_id: String,
    /// The recipient.
    pub to: Jid,
    /// What it says.
    pub content: Content,
    /// Votes, answers and edits are encrypted with it. Made with the command, the same for every attempt.
    pub message_secret: [u8; 32],
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

/// A fresh message id in the form that the official clients use: `3EB0` and 18 hexadecimal digits.
pub fn new_whatsapp_id(entropy: &dyn Entropy) -> String {
    let random: [u8; 9] = entropy.bytes();
    random.iter().fold(String::from("3EB0"), |id, byte| id + &format!("{byte:02X}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doubles::Counter;

    #[test]
    fn ids_look_like_those_of_the_official_clients() {
        let entropy = Counter::default();
        let (first, second) = (new_whatsapp_id(&entropy), new_whatsapp_id(&entropy));
        assert_eq!(first, "3EB0000000000000000000");
        assert_eq!(second, "3EB0000000000000000001");
    }
}
