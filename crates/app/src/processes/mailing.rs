//! What happened to a user → a mail.

use std::sync::Arc;

use async_trait::async_trait;
use waxwing_domain::{
    UserId,
    user::{PasswordResetRequested, UserEvent, VerificationRequested},
};

use crate::{
    codec,
    execute::CommandPorts,
    feed::Consumer,
    mail::Mail,
    ports::{Commit, FeedItem, Mailer, PortError},
    tokens::{MailPurpose, mail_token},
};

/// Commits of users → mails.
pub struct Mailing {
    /// Journal, encryption, clock.
    pub ports: CommandPorts,
    /// Who takes them.
    pub mailer: Arc<dyn Mailer>,
}

#[async_trait]
impl Consumer for Mailing {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["user"]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        for FeedItem { commit, .. } in items {
            if commit.types.iter().any(|kind| kind.ends_with("_requested")) {
                self.send(commit).await?;
            }
        }
        Ok(())
    }
}

impl Mailing {
    async fn send(&self, commit: &Commit) -> Result<(), PortError> {
        let user =
            UserId::parse(commit.stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let events = codec::open::<UserEvent>(&*self.ports.secrets, commit).await?;
        for (index, event) in events.into_iter().enumerate() {
            let Some(mail) = self.mail(user, event) else { continue };
            // Sorts by time, and is the same when the commit comes again.
            let id = format!("{:015}/{user}/{}/{index}", commit.at.as_millisecond().max(0), commit.version);
            self.mailer.send(&id, &mail).await?;
        }
        Ok(())
    }

    /// The mail that follows, unless its token is over: a replay of old commits writes to nobody.
    fn mail(&self, user: UserId, event: UserEvent) -> Option<Mail> {
        type Make = fn(String, waxwing_domain::Secret, waxwing_domain::Timestamp) -> Mail;
        let (purpose, make, email, nonce, expires_at): (_, Make, _, _, _) = match event {
            UserEvent::VerificationRequested(VerificationRequested { email, nonce, expires_at, .. }) => {
                (MailPurpose::VerifyEmail, Mail::verification, email, nonce, expires_at)
            },
            UserEvent::PasswordResetRequested(PasswordResetRequested {
                email, nonce, expires_at, ..
            }) => (MailPurpose::ResetPassword, Mail::password_reset, email, nonce, expires_at),
            _ => return None,
        };
        let token = mail_token(&*self.ports.secrets, purpose, user, &nonce);
        (self.ports.clock.now() < expires_at).then(|| make(email, token, expires_at))
    }
}
