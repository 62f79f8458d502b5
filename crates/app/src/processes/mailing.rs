//! What happened to a user → a mail.

use std::sync::Arc;

use async_trait::async_trait;
use waxwing_domain::{
    UserId,
    user::{EmailChangeRequested, PasswordResetRequested, UserEvent, VerificationRequested},
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
        let mails = events.into_iter().flat_map(|event| self.mails(user, event));
        for (index, mail) in mails.enumerate() {
            // Sorts by time, and is the same when the commit comes again.
            let id = format!("{:015}/{user}/{}/{index}", commit.at.as_millisecond().max(0), commit.version);
            self.mailer.send(&id, &mail).await?;
        }
        Ok(())
    }

    /// The mails that follow, unless their tokens are over: a replay of old commits writes to nobody.
    fn mails(&self, user: UserId, event: UserEvent) -> Vec<Mail> {
        use MailPurpose::{ChangeEmail, ResetPassword, VerifyEmail};
        let token = |purpose, nonce| mail_token(&*self.ports.secrets, purpose, user, nonce);
        let (expires_at, mails) = match event {
            UserEvent::VerificationRequested(VerificationRequested { email, nonce, expires_at, .. }) => {
                (expires_at, vec![Mail::verification(email, token(VerifyEmail, &nonce), expires_at)])
            },
            UserEvent::PasswordResetRequested(PasswordResetRequested {
                email, nonce, expires_at, ..
            }) => (expires_at, vec![Mail::password_reset(email, token(ResetPassword, &nonce), expires_at)]),
            UserEvent::EmailChangeRequested(EmailChangeRequested {
                from,
                to,
                old_nonce,
                new_nonce,
                expires_at,
                ..
            }) => {
                let (old, new) = (token(ChangeEmail, &old_nonce), token(ChangeEmail, &new_nonce));
                let mails =
                    vec![Mail::old_address(from, old, expires_at), Mail::new_address(to, new, expires_at)];
                (expires_at, mails)
            },
            _ => return Vec::new(),
        };
        if self.ports.clock.now() < expires_at { mails } else { Vec::new() }
    }
}
