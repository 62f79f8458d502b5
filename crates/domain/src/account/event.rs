use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::UserId;

events! {
    /// What happened to an account.
    pub enum AccountEvent {
        /// It was made.
        Created(AccountCreated) = "account.created" v "1",
    }
}

/// See [`AccountEvent::Created`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountCreated {
    /// Its name.
    pub name: String,
    /// Who owns it.
    pub owner: UserId,
    /// When.
    pub at: Timestamp,
}
