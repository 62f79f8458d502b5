use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Role;
use crate::{AccountId, Secret};

events! {
    /// What happened to a user.
    pub enum UserEvent {
        /// The user was made.
        Registered(UserRegistered) = "user.registered" v "1",
        /// The user belongs to an account.
        JoinedAccount(JoinedAccount) = "user.joined_account" v "1",
        /// The address has to be proven.
        VerificationRequested(VerificationRequested) = "user.verification_requested" v "1",
        /// The address was proven.
        EmailVerified(EmailVerified) = "user.email_verified" v "1",
        /// The password is forgotten, or somebody says so.
        PasswordResetRequested(PasswordResetRequested) = "user.password_reset_requested" v "1",
        /// The password is another. All sign-ins from before end.
        PasswordChanged(PasswordChanged) = "user.password_changed" v "1",
    }
}

/// See [`UserEvent::Registered`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserRegistered {
    /// The address.
    pub email: String,
    /// What to call the person.
    pub name: Option<String>,
    /// The argon2id hash.
    pub password_hash: Secret,
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::JoinedAccount`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JoinedAccount {
    /// Which.
    pub account: AccountId,
    /// As what.
    pub role: Role,
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::VerificationRequested`]. The token itself is in no event: it follows from the nonce and from a key
/// that is not in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerificationRequested {
    /// Where the mail goes.
    pub email: String,
    /// 32 random bytes in base64.
    pub nonce: Secret,
    /// How long the token is good.
    pub expires_at: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::EmailVerified`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmailVerified {
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::PasswordResetRequested`], and [`VerificationRequested`] for the nonce.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PasswordResetRequested {
    /// Where the mail goes.
    pub email: String,
    /// 32 random bytes in base64.
    pub nonce: Secret,
    /// How long the token is good.
    pub expires_at: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::PasswordChanged`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PasswordChanged {
    /// The argon2id hash.
    pub password_hash: Secret,
    /// When.
    pub at: Timestamp,
}
