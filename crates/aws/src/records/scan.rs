//! Keys of rows that no key finds.

use waxwing_app::ports::{Key, PortError};

use super::{DynamoRecords, row};
use crate::{failure::port_error, item::text};

/// Items that one call reads; as many could fit the filter.
const SCANNED_AT_ONCE: i32 = 1_000;

/// Keys that one call found.
pub(super) struct KeyPage {
    pub(super) keys: Vec<Key>,
    /// With what the next call goes on; `None` behind the last one.
    pub(super) next: Option<String>,
}

impl DynamoRecords {
    /// The keys of those rows of the next part of the table that fit a filter on `#p`, `#s` (the parts of the key) and `#v`
    /// (the value), with these values in it.
    pub(super) async fn scan_keys(
        &self,
        filter: &str,
        values: [(&str, &str); 2],
        after: Option<&str>,
    ) -> Result<KeyPage, PortError> {
        let mut scan = self
            .dynamo
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .projection_expression("#p, #s")
            .filter_expression(filter)
            .expression_attribute_names("#p", row::PARTITION)
            .expression_attribute_names("#s", row::SORT)
            .limit(SCANNED_AT_ONCE)
            .set_exclusive_start_key(after.map(row::read_position));
        // DynamoDB refuses a name that nothing uses.
        if filter.contains("#v") {
            scan = scan.expression_attribute_names("#v", row::VALUE);
        }
        for (name, value) in values {
            scan = scan.expression_attribute_values(name, text(value));
        }
        let page = scan.send().await.map_err(|error| port_error(&self.target(), &error))?;
        Ok(KeyPage {
            keys: page.items.unwrap_or_default().iter().map(row::read_key).collect::<Result<_, _>>()?,
            next: page.last_evaluated_key.as_ref().map(row::position).transpose()?,
        })
    }
}
