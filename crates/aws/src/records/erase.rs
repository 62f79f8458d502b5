//! The end of an account.

use async_trait::async_trait;
use waxwing_app::{
    keys,
    ports::{Erased, Erasure, Guard, Key, PortError, Records as _, Write},
};
use waxwing_domain::AccountId;

use super::{DynamoRecords, row};
use crate::{failure::port_error, item::text};

/// Items that one call reads; as many could have to go.
const SCANNED_AT_ONCE: i32 = 1_000;

#[async_trait]
impl Erasure for DynamoRecords {
    async fn erase_rows(&self, account: AccountId, after: Option<&str>) -> Result<Erased, PortError> {
        let page = self
            .dynamo
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .projection_expression("#p, #s")
            .filter_expression("begins_with(#p, :account) AND #p <> :keys")
            .expression_attribute_names("#p", row::PARTITION)
            .expression_attribute_names("#s", row::SORT)
            .expression_attribute_values(":account", text(format!("{account}/")))
            // A number that was given once is not given again.
            .expression_attribute_values(":keys", text(keys::data_keys(account)))
            .limit(SCANNED_AT_ONCE)
            .set_exclusive_start_key(after.map(row::read_position))
            .send()
            .await
            .map_err(|error| port_error(&self.target(), &error))?;
        let found: Vec<Key> =
            page.items.unwrap_or_default().iter().map(row::read_key).collect::<Result<_, _>>()?;
        let rows = found.len() as u64;
        self.write_each(found.into_iter().map(|key| Write::Delete(key, Guard::Always)).collect()).await?;
        Ok(Erased { rows, next: page.last_evaluated_key.as_ref().map(row::position).transpose()? })
    }
}
