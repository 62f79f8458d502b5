//! What happened to a user, and who is invited to an account → a mail.

use std::sync::Arc;

use async_trait::async_trait;
use waxwing_domain::{
    AccountId, Aggregate, UserId,
    account::{Account, AccountEvent, Invited},
    user::{EmailChangeRequested, PasswordResetRequested, User, UserEvent, VerificationRequested},
};

use crate::{
    codec,
    execute::CommandPorts,
    feed::Consumer,
    mail::Mail,
    ports::{Commit, FeedItem, Mailer, PortError},
    tokens::{MailPurpose, mail_token},
};

/// Commits of users and accounts → mails.
pub struct Mailing {
    /// Journal, encryption, clock.
    pub ports: CommandPorts,
    /// Who takes them.
    pub mailer: Arc<dyn Mailer>,
}

/// The only event of an account that a mail follows from.
const INVITED: &str = "account.invited";

fn has(commit: &Commit, wanted: impl Fn(&str) -> bool) -> bool {
    commit.types.iter().any(|kind| wanted(kind))
}

#[async_trait]
impl Consumer for Mailing {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Account::TYPE, User::TYPE]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        let mut waits = Ok(());
        for FeedItem { commit, .. } in items {
            let mails = match commit.stream.kind() {
                User::TYPE if has(commit, |kind| kind.ends_with("_requested")) => {
                    self.of_user(commit).await?
                },
                Account::TYPE if has(commit, |kind| kind == INVITED) => self.of_account(commit).await?,
                _ => continue,
            };
            // A mail that the server does not take yet holds up none of those behind it; all come again, and each is sent once.
            match self.send(commit, mails).await {
                Err(error) if error.is_transient() => waits = Err(error),
                sent => sent?,
            }
        }
        waits
    }
}

impl Mailing {
    async fn send(&self, commit: &Commit, mails: Vec<Mail>) -> Result<(), PortError> {
        for (index, mail) in mails.iter().enumerate() {
            // Sorts by time, and is the same when the commit comes again.
            let (ms, stream) = (commit.at.as_millisecond().max(0), commit.stream.id());
            self.mailer.send(&format!("{ms:015}/{stream}/{}/{index}", commit.version), mail).await?;
        }
        Ok(())
    }

    async fn of_user(&self, commit: &Commit) -> Result<Vec<Mail>, PortError> {
        let user =
            UserId::parse(commit.stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let events = codec::open::<UserEvent>(&*self.ports.secrets, commit).await?;
        Ok(events.into_iter().flat_map(|event| self.mails(user, event)).collect())
    }

    async fn of_account(&self, commit: &Commit) -> Result<Vec<Mail>, PortError> {
        let events = codec::open::<AccountEvent>(&*self.ports.secrets, commit).await?;
        Ok(events.into_iter().filter_map(|event| self.invitation(commit.account, event)).collect())
    }

    fn invitation(&self, account: AccountId, event: AccountEvent) -> Option<Mail> {
        let AccountEvent::Invited(Invited { email, account_name, nonce, expires_at, .. }) = event else {
            return None;
        };
        let token = mail_token(&*self.ports.secrets, MailPurpose::Invitation, account, &nonce);
        let mail = Mail::invitation(email, &account_name, token, expires_at);
        (self.ports.clock.now() < expires_at).then_some(mail)
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
