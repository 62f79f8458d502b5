use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AccountId, Secret, account::Role};

events! {
    /// What happened to a user.
    pub enum UserEvent {
        /// The user was made.
        Registered(UserRegistered) = "user.registered" v "1",
        /// The user belongs to an account.
        JoinedAccount(JoinedAccount) = "user.joined_account" v "1",
        /// The user belongs to the account no more.
        LeftAccount(LeftAccount) = "user.left_account" v "1",
        /// The address has to be proven.
        VerificationRequested(VerificationRequested) = "user.verification_requested" v "1",
        /// The address was proven.
        EmailVerified(EmailVerified) = "user.email_verified" v "1",
        /// The password is forgotten, or somebody says so.
        PasswordResetRequested(PasswordResetRequested) = "user.password_reset_requested" v "1",
        /// The password is another. All sign-ins from before end.
        PasswordChanged(PasswordChanged) = "user.password_changed" v "1",
        /// The same password has a better hash.
        PasswordRehashed(PasswordRehashed) = "user.password_rehashed" v "1",
        /// The name is another.
        Renamed(UserRenamed) = "user.renamed" v "1",
        /// The address is to be another, if both agree.
        EmailChangeRequested(EmailChangeRequested) = "user.email_change_requested" v "1",
        /// One of the two addresses agrees.
        EmailChangeConfirmed(EmailChangeConfirmed) = "user.email_change_confirmed" v "1",
        /// The address is another.
        EmailChanged(EmailChanged) = "user.email_changed" v "1",
        /// All sign-ins from before end.
        SignedOutEverywhere(SignedOutEverywhere) = "user.signed_out_everywhere" v "1",
        /// A second factor was offered.
        TotpOffered(TotpOffered) = "user.totp_offered" v "1",
        /// The second factor is needed from now on.
        TotpEnabled(TotpEnabled) = "user.totp_enabled" v "1",
        /// A recovery code is used up.
        RecoveryCodeUsed(RecoveryCodeUsed) = "user.recovery_code_used" v "1",
        /// No second factor is needed any more.
        TotpDisabled(TotpDisabled) = "user.totp_disabled" v "1",
        /// The user is gone. What the stream says is made unreadable next.
        Deleted(UserDeleted) = "user.deleted" v "1",
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

/// See [`UserEvent::LeftAccount`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftAccount {
    /// Which.
    pub account: AccountId,
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

/// See [`UserEvent::PasswordRehashed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PasswordRehashed {
    /// The argon2id hash.
    pub password_hash: Secret,
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::Renamed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserRenamed {
    /// What to call the person.
    pub name: String,
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::EmailChangeRequested`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmailChangeRequested {
    /// The address of now.
    pub from: String,
    /// The address to be.
    pub to: String,
    /// Of the mail to the address of now; see [`VerificationRequested`].
    pub old_nonce: Secret,
    /// Of the mail to the address to be.
    pub new_nonce: Secret,
    /// How long the tokens are good.
    pub expires_at: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::EmailChangeConfirmed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmailChangeConfirmed {
    /// Which one, by the nonce that went there.
    pub nonce: Secret,
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::EmailChanged`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmailChanged {
    /// The address.
    pub email: String,
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::SignedOutEverywhere`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignedOutEverywhere {
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::TotpOffered`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TotpOffered {
    /// In base32.
    pub secret: Secret,
    /// From then on it is no longer offered.
    pub expires_at: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::TotpEnabled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TotpEnabled {
    /// In base32.
    pub secret: Secret,
    /// Keyed hashes of the recovery codes.
    pub recovery_hashes: Vec<Secret>,
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::RecoveryCodeUsed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecoveryCodeUsed {
    /// Its keyed hash.
    pub hash: Secret,
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::TotpDisabled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TotpDisabled {
    /// When.
    pub at: Timestamp,
}

/// See [`UserEvent::Deleted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserDeleted {
    /// When.
    pub at: Timestamp,
}
