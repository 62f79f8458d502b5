use async_trait::async_trait;

use super::PortError;
use crate::mail::Mail;

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// Nobody has this address, or nobody takes this mail. Another try does not help. Says nothing of whose address it is.
    #[error("refused: {0}")]
    Refused(String),
    /// It can be mended, and the mail waits.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Takes mails to people.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends a mail, or sees to it that it is sent. `id` is the same when the same mail comes again; who can tell, sends
    /// it once.
    async fn send(&self, id: &str, mail: &Mail) -> Result<(), MailError>;
}
