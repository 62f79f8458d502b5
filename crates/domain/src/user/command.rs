use jiff::Timestamp;

use crate::{AccountId, Secret};

/// What can be asked of a user.
#[derive(Debug, Clone, PartialEq)]
pub enum UserCommand {
    /// Make the user.
    Register {
        /// The address, which is unique in the installation.
        email: String,
        /// What to call the person.
        name: Option<String>,
        /// The argon2id hash.
        password_hash: Secret,
        /// The account that the user owns.
        account: AccountId,
        /// Present where the address has to be proven before the first sign-in.
        verification: Option<Proof>,
        /// When.
        at: Timestamp,
    },
    /// Set another password.
    ChangePassword {
        /// The argon2id hash.
        password_hash: Secret,
        /// When.
        at: Timestamp,
    },
    /// Who reads the address's mail has the nonce of the latest request.
    VerifyEmail {
        /// The nonce.
        nonce: Secret,
        /// When.
        at: Timestamp,
    },
    /// Send something by which a forgotten password can be replaced.
    RequestPasswordReset {
        /// What the mail proves.
        proof: Proof,
        /// When.
        at: Timestamp,
    },
    /// Replace a forgotten password.
    ResetPassword {
        /// The nonce of the latest request.
        nonce: Secret,
        /// The argon2id hash.
        password_hash: Secret,
        /// When.
        at: Timestamp,
    },
}

/// From what the token of a mail is derived, and how long it is good.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// 32 random bytes of the operating system, in base64.
    pub nonce: Secret,
    /// From then on it proves nothing.
    pub expires_at: Timestamp,
}
