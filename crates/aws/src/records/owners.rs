//! Who has data keys.

use waxwing_app::{
    keys,
    ports::{Key, KeyOwners, PortError},
};
use waxwing_domain::AccountId;

use super::{DynamoRecords, scan::KeyPage};

impl DynamoRecords {
    /// See [`KeyCustody::owners`](waxwing_app::ports::KeyCustody::owners).
    pub(crate) async fn key_owners(&self, after: Option<&str>) -> Result<KeyOwners, PortError> {
        // Everybody's keys begin with the first: it names each owner once, also where a page ends between two keys.
        let first = keys::data_key(AccountId::SYSTEM, 1);
        let suffix = first.partition.trim_start_matches(&AccountId::SYSTEM.to_string());
        // No value: destroyed.
        let filter = "#s = :first AND contains(#p, :keys) AND attribute_exists(#v)";
        let values = [(":first", &*first.sort), (":keys", suffix)];
        let KeyPage { keys, next } = self.scan_keys(filter, values, after).await?;
        let owners = keys.iter().filter_map(|key| owner(key, suffix).transpose());
        Ok(KeyOwners { owners: owners.collect::<Result<_, _>>()?, next })
    }
}

/// `None` for a row of another kind, whose key only looks like one.
fn owner(key: &Key, suffix: &str) -> Result<Option<AccountId>, PortError> {
    let owner = key.partition.strip_suffix(suffix).map(AccountId::parse);
    owner.transpose().map_err(|_| PortError::Corrupt(format!("{:?} are data keys of nobody", key.partition)))
}
