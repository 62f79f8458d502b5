//! Other data keys for those who have one: an operator's work, a page at a time.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use waxwing_domain::{AccountId, UserId, ids::IdError};

use crate::{
    patience::Patience,
    ports::{KeyCustody, KeyOwners, PortError},
};

/// Keys that are made side by side.
const AT_ONCE: usize = 8;

/// Whose keys to rotate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// One owner; a page of all when there is none.
    pub owner: Option<AccountId>,
    /// Where an earlier page ended; the first page when there is none.
    pub after: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotated {
    /// How many keys were made.
    pub keys: u64,
    /// Where the next page begins; `None` behind the last one.
    pub next: Option<String>,
}

/// Who is meant by the id of an account or of a user.
pub fn key_owner(id: &str) -> Result<AccountId, IdError> {
    UserId::parse(id).map(UserId::key_owner).or_else(|_| AccountId::parse(id))
}

impl Rotation {
    /// Makes the keys. What fails in a way that passes is tried again here, each owner by itself, so that nobody who is done
    /// gets another key for somebody else's failure. The caller need not: doing all of it again makes others, which costs a
    /// row each and harms nothing.
    pub async fn run(&self, keys: &dyn KeyCustody) -> Result<Rotated, PortError> {
        let KeyOwners { owners, next } = match self.owner {
            Some(owner) => return rotate(keys, owner).await.map(|()| Rotated { keys: 1, next: None }),
            None => page(keys, self.after.as_deref()).await?,
        };
        let made = stream::iter(owners.into_iter().map(|owner| rotate_listed(keys, owner)));
        let keys = made.buffer_unordered(AT_ONCE).try_fold(0, async |all, one| Ok(all + one)).await?;
        Ok(Rotated { keys, next })
    }
}

async fn page(keys: &dyn KeyCustody, after: Option<&str>) -> Result<KeyOwners, PortError> {
    let mut patience = Patience::default();
    loop {
        match keys.owners(after).await {
            Err(error) => patience.after(error).await?,
            page => return page,
        }
    }
}

async fn rotate(keys: &dyn KeyCustody, owner: AccountId) -> Result<(), PortError> {
    let mut patience = Patience::default();
    loop {
        match keys.rotate(owner).await {
            Err(error) => patience.after(error).await?,
            rotated => return rotated,
        }
    }
}

/// How many keys it made for an owner of the page.
async fn rotate_listed(keys: &dyn KeyCustody, owner: AccountId) -> Result<u64, PortError> {
    match rotate(keys, owner).await {
        Ok(()) => Ok(1),
        // Deleted since the page was read.
        Err(PortError::Erased(_)) => Ok(0),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_an_account_or_a_user() {
        let (account, user) = (AccountId::new(1, [2; 10]), UserId::new(3, [4; 10]));
        assert_eq!(key_owner(&account.to_string()), Ok(account));
        assert_eq!(key_owner(&user.to_string()), Ok(user.key_owner()));
        assert_eq!(key_owner("ada"), Err(IdError::Prefix("acc")));
    }
}
