use async_trait::async_trait;
use waxwing_domain::AccountId;

use super::PortError;

/// Who has data keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyOwners {
    /// Accounts, and users under [`UserId::key_owner`](waxwing_domain::UserId::key_owner); perhaps none.
    pub owners: Vec<AccountId>,
    /// With what the next call goes on; `None` behind the last one.
    pub next: Option<String>,
}

/// The data keys themselves.
#[async_trait]
pub trait KeyCustody: Send + Sync {
    /// Makes another data key for what is sealed from now on. What was sealed before opens as before. Another process may go
    /// on with the key before for five minutes. [`PortError::NotFound`] for who never had a key, [`PortError::Erased`] when
    /// the keys were destroyed.
    async fn rotate(&self, account: AccountId) -> Result<(), PortError>;

    /// Up to a thousand of those who have keys that are not destroyed, from where `after` of an earlier call says. All calls
    /// together name each of them once, and read a whole table on AWS: for operators, not for requests.
    async fn owners(&self, after: Option<&str>) -> Result<KeyOwners, PortError>;

    /// Destroys every data key of the account, for good: nothing of it opens any more, and nothing is sealed. Doing it again
    /// is fine. Another process may go on with a key in its memory for five minutes; backups keep what they kept.
    async fn destroy(&self, account: AccountId) -> Result<(), PortError>;
}

/// How far the rows of an account are erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// How many this call removed.
    pub rows: u64,
    /// With what the next call goes on; `None` when all are gone.
    pub next: Option<String>,
}

/// Rows, found by whose they are and not by their keys.
#[async_trait]
pub trait Erasure: Send + Sync {
    /// Removes some hundred rows of the account, with their index entries and what a search found of it, from where `after` of an earlier call says. Its
    /// wrapped data keys stay. All calls together read a whole table on AWS: for the end of an account, not for requests.
    async fn erase_rows(&self, account: AccountId, after: Option<&str>) -> Result<Erased, PortError>;
}
