//! Who has data keys.

use waxwing_app::{
    keys,
    ports::{KeyOwners, PortError},
};
use waxwing_domain::AccountId;

use super::{DynamoRecords, row};
use crate::{
    failure::port_error,
    item::{Item, text},
};

/// Items that one call reads; as many could be keys of owners.
const SCANNED_AT_ONCE: i32 = 1_000;

impl DynamoRecords {
    /// See [`KeyCustody::owners`](waxwing_app::ports::KeyCustody::owners).
    pub(crate) async fn key_owners(&self, after: Option<&str>) -> Result<KeyOwners, PortError> {
        // Everybody's keys begin with the first: it names each owner once, also where a page ends between two keys.
        let first = keys::data_key(AccountId::SYSTEM, 1);
        let suffix = first.partition.trim_start_matches(&AccountId::SYSTEM.to_string());
        let page = self
            .dynamo
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .projection_expression("#p, #s")
            // No value: destroyed.
            .filter_expression("#s = :first AND contains(#p, :keys) AND attribute_exists(#v)")
            .expression_attribute_names("#p", row::PARTITION)
            .expression_attribute_names("#s", row::SORT)
            .expression_attribute_names("#v", row::VALUE)
            .expression_attribute_values(":first", text(&first.sort))
            .expression_attribute_values(":keys", text(suffix))
            .limit(SCANNED_AT_ONCE)
            .set_exclusive_start_key(after.map(row::read_position))
            .send()
            .await
            .map_err(|error| port_error(&self.target(), &error))?;
        let owners = page.items.unwrap_or_default();
        let owners = owners.iter().filter_map(|item| owner(item, suffix).transpose());
        Ok(KeyOwners {
            owners: owners.collect::<Result<_, _>>()?,
            next: page.last_evaluated_key.as_ref().map(row::position).transpose()?,
        })
    }
}

/// `None` for a row of another kind, whose key only looks like one.
fn owner(item: &Item, suffix: &str) -> Result<Option<AccountId>, PortError> {
    let key = row::read_key(item)?;
    let owner = key.partition.strip_suffix(suffix).map(AccountId::parse);
    owner.transpose().map_err(|_| PortError::Corrupt(format!("{:?} are data keys of nobody", key.partition)))
}
