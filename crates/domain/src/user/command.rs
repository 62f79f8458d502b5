use jiff::Timestamp;

use crate::{AccountId, Secret, account::Role};

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
        /// The first account that the user belongs to.
        account: AccountId,
        /// As what.
        role: Role,
        /// Present where the address has to be proven before the first sign-in.
        verification: Option<Proof>,
        /// When.
        at: Timestamp,
    },
    /// Whoever reads the address's mail was invited to an account, and is not the one who registered with the address and
    /// never proved it.
    ProveByInvitation {
        /// 1 to 100 characters.
        name: String,
        /// The argon2id hash.
        password_hash: Secret,
        /// When.
        at: Timestamp,
    },
    /// Belong to an account.
    JoinAccount {
        /// Which.
        account: AccountId,
        /// As what.
        role: Role,
        /// When.
        at: Timestamp,
    },
    /// Belong to an account no more.
    LeaveAccount {
        /// Which.
        account: AccountId,
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
    /// Send once more what proves the address.
    RequestVerification {
        /// What the mail proves, where the earlier token is over; else that is sent again.
        proof: Proof,
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
    /// The same password under a better hash.
    Rehash {
        /// The hash that the password was found to have: if it is another by now, the password was replaced.
        verified: Secret,
        /// The argon2id hash.
        password_hash: Secret,
        /// When.
        at: Timestamp,
    },
    /// Take another name.
    Rename {
        /// 1 to 100 characters.
        name: String,
        /// When.
        at: Timestamp,
    },
    /// Ask both addresses whether the user may have the other one.
    RequestEmailChange {
        /// The address to be.
        to: String,
        /// What the mail to the address of now proves.
        old: Proof,
        /// What the mail to the address to be proves.
        new: Proof,
        /// When.
        at: Timestamp,
    },
    /// Who reads the mail of one of the two addresses agrees.
    ConfirmEmailChange {
        /// The nonce that went to that address.
        nonce: Secret,
        /// When.
        at: Timestamp,
    },
    /// Take the address to which both have agreed.
    CompleteEmailChange {
        /// The address to be.
        to: String,
        /// When.
        at: Timestamp,
    },
    /// End all sign-ins.
    SignOutEverywhere {
        /// When.
        at: Timestamp,
    },
    /// Offer a second factor, which counts once it was used.
    OfferTotp {
        /// In base32.
        secret: Secret,
        /// From then on it is no longer offered.
        expires_at: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// The app shows the right code for what was offered.
    EnableTotp {
        /// The secret that was offered.
        secret: Secret,
        /// Keyed hashes of codes that each replace the app once.
        recovery_hashes: Vec<Secret>,
        /// When.
        at: Timestamp,
    },
    /// A recovery code was used.
    UseRecoveryCode {
        /// Its keyed hash.
        hash: Secret,
        /// When.
        at: Timestamp,
    },
    /// Go without a second factor.
    DisableTotp {
        /// When.
        at: Timestamp,
    },
    /// Be gone.
    Delete {
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
