use jiff::Timestamp;

use crate::Secret;

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
}
