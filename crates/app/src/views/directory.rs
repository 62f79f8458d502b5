use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use waxwing_domain::{AccountId, UserId};

/// An account as the operator sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountView {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Who made it.
    pub owner: UserId,
    /// Nobody is let in for now.
    pub suspended: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A user as the operator sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserView {
    /// The id.
    pub id: UserId,
    /// The address.
    pub email: String,
    /// The name.
    pub name: Option<String>,
    /// Whether the address is confirmed.
    pub email_verified: bool,
    /// Whether a second factor is needed.
    pub totp_enabled: bool,
    /// When the user registered.
    pub created_at: Timestamp,
}
