//! A person who logs in. Users are global: their streams belong to the system account.

mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;

pub use command::{Proof, UserCommand};
pub use error::UserError;
pub use event::{
    EmailVerified, JoinedAccount, PasswordChanged, PasswordResetRequested, UserEvent, UserRegistered,
    VerificationRequested,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AccountId, Secret};

/// Longest name of a person, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// While a mail is younger than this, no other is sent for the same purpose: nobody's mailbox is flooded.
pub const MAIL_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// What a user is in an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything.
    Owner,
}

impl Role {
    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
        }
    }
}

/// State of one user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct User {
    registered: Option<UserRegistered>,
    joined: Option<(AccountId, Role)>,
    /// The address has to be proven before the first sign-in.
    unproven: bool,
    verification: Option<Outstanding>,
    reset: Option<Outstanding>,
    password_changed_at: Option<Timestamp>,
}

/// A mail on its way, whose token was not used yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Outstanding {
    nonce: Secret,
    asked_at: Timestamp,
    expires_at: Timestamp,
}

impl Outstanding {
    fn proven_by(&self, nonce: &Secret, at: Timestamp) -> bool {
        self.nonce == *nonce && at < self.expires_at
    }

    fn is_fresh(&self, at: Timestamp) -> bool {
        at.duration_since(self.asked_at) < MAIL_PAUSE
    }
}

impl User {
    /// Address, name, when; `None` for a user that does not exist.
    pub fn registered(&self) -> Option<&UserRegistered> {
        self.registered.as_ref()
    }

    /// The argon2id hash of the current password.
    pub fn password_hash(&self) -> Option<&Secret> {
        self.registered.as_ref().map(|registered| &registered.password_hash)
    }

    /// To which account the user belongs, and as what.
    pub fn joined(&self) -> Option<(AccountId, Role)> {
        self.joined
    }

    /// True unless the address still has to be proven.
    pub fn is_verified(&self) -> bool {
        self.registered.is_some() && !self.unproven
    }

    /// True when a sign-in of this time goes on: the password did not change since.
    pub fn keeps_sign_in(&self, started_at: Timestamp) -> bool {
        self.registered.is_some() && self.password_changed_at.is_none_or(|changed| changed <= started_at)
    }

    /// The nonce whose token proves the address.
    pub fn verification_nonce(&self) -> Option<&Secret> {
        self.verification.as_ref().map(|outstanding| &outstanding.nonce)
    }

    /// The nonce whose token allows another password.
    pub fn reset_nonce(&self) -> Option<&Secret> {
        self.reset.as_ref().map(|outstanding| &outstanding.nonce)
    }

    /// Which events follow from the command.
    pub fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, UserError> {
        let Some(user) = &self.registered else {
            return match command {
                UserCommand::Register { email, name, password_hash, account, verification, at } => {
                    register(email, name, password_hash, account, verification, at)
                },
                _ => Err(UserError::NotFound),
            };
        };
        match command {
            UserCommand::Register { .. } => Err(UserError::AlreadyExists),
            UserCommand::ChangePassword { password_hash, at } => {
                Ok(vec![PasswordChanged { password_hash, at }.into()])
            },
            UserCommand::VerifyEmail { nonce, at } => match &self.verification {
                Some(sent) if sent.proven_by(&nonce, at) => Ok(vec![EmailVerified { at }.into()]),
                _ => Err(UserError::InvalidToken),
            },
            UserCommand::RequestPasswordReset { proof, at } => match &self.reset {
                Some(sent) if sent.is_fresh(at) => Ok(vec![]),
                _ => {
                    let (email, Proof { nonce, expires_at }) = (user.email.clone(), proof);
                    Ok(vec![PasswordResetRequested { email, nonce, expires_at, at }.into()])
                },
            },
            UserCommand::ResetPassword { nonce, password_hash, at } => match &self.reset {
                Some(sent) if sent.proven_by(&nonce, at) => {
                    let changed = PasswordChanged { password_hash, at }.into();
                    // The token came to the address, so it proves the address, too.
                    Ok(match self.unproven {
                        true => vec![changed, EmailVerified { at }.into()],
                        false => vec![changed],
                    })
                },
                _ => Err(UserError::InvalidToken),
            },
        }
    }

    fn apply_event(&mut self, event: UserEvent) {
        match event {
            UserEvent::Registered(registered) => self.registered = Some(registered),
            UserEvent::JoinedAccount(joined) => self.joined = Some((joined.account, joined.role)),
            UserEvent::VerificationRequested(VerificationRequested { nonce, expires_at, at, .. }) => {
                self.unproven = true;
                self.verification = Some(Outstanding { nonce, asked_at: at, expires_at });
            },
            UserEvent::EmailVerified(_) => {
                self.unproven = false;
                self.verification = None;
            },
            UserEvent::PasswordResetRequested(PasswordResetRequested { nonce, expires_at, at, .. }) => {
                self.reset = Some(Outstanding { nonce, asked_at: at, expires_at });
            },
            UserEvent::PasswordChanged(PasswordChanged { password_hash, at }) => {
                self.password_changed_at = Some(at);
                self.reset = None;
                if let Some(registered) = &mut self.registered {
                    registered.password_hash = password_hash;
                }
            },
        }
    }
}

fn register(
    email: String,
    name: Option<String>,
    password_hash: Secret,
    account: AccountId,
    verification: Option<Proof>,
    at: Timestamp,
) -> Result<Vec<UserEvent>, UserError> {
    if !is_address(&email) {
        return Err(UserError::InvalidEmail);
    }
    let is_name = |name: &String| (1..=NAME_CHARS_MAX).contains(&name.trim().chars().count());
    if !name.as_ref().is_none_or(is_name) {
        return Err(UserError::InvalidName);
    }
    let asked = verification.map(|Proof { nonce, expires_at }| {
        VerificationRequested { email: email.clone(), nonce, expires_at, at }.into()
    });
    let joined = JoinedAccount { account, role: Role::Owner, at }.into();
    let registered = UserRegistered { email, name, password_hash, at }.into();
    Ok([registered, joined].into_iter().chain(asked).collect())
}

/// Only what would break elsewhere: that mail arrives is proven by mail.
fn is_address(email: &str) -> bool {
    let parts = email.split_once('@');
    email.len() <= 254
        && !email.chars().any(|char| char.is_whitespace() || char.is_control())
        && parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
}

aggregate!(User, "user", UserCommand, UserEvent, UserError);
