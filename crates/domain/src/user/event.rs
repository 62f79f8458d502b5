use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Secret;

events! {
    /// What happened to a user.
    pub enum UserEvent {
        /// The user was made.
        Registered(UserRegistered) = "user.registered" v "1",
        /// The password is another.
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

/// See [`UserEvent::PasswordChanged`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PasswordChanged {
    /// The argon2id hash.
    pub password_hash: Secret,
    /// When.
    pub at: Timestamp,
}
