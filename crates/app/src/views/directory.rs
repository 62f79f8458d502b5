use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use waxwing_domain::{AccountId, UserId, account::Account, user::User};

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

impl AccountView {
    /// `None` for one that is not there, or not any more.
    pub fn of(id: AccountId, account: &Account) -> Option<Self> {
        let created = account.created()?;
        let (name, suspended) = (created.name.clone(), account.is_suspended());
        Some(Self { id, name, owner: created.owner, suspended, created_at: created.at })
    }
}

impl UserView {
    /// `None` for one who is not there, or not any more.
    pub fn of(id: UserId, user: &User) -> Option<Self> {
        let registered = user.registered()?;
        Some(Self {
            id,
            email: registered.email.clone(),
            name: registered.name.clone(),
            email_verified: user.is_verified(),
            totp_enabled: user.totp_secret().is_some(),
            created_at: registered.at,
        })
    }
}
