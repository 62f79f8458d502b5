use async_trait::async_trait;

use super::PortError;
use crate::mail::Mail;

/// Takes mails to people.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends a mail, or sees to it that it is sent. `id` is the same when the same mail comes again; who can tell, sends
    /// it once.
    async fn send(&self, id: &str, mail: &Mail) -> Result<(), PortError>;
}
