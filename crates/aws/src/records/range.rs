//! Range queries on the rows' own keys.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use waxwing_app::ports::{PortError, Query, Row};

use super::{DynamoRecords, row};
use crate::{
    failure::port_error,
    item::{Item, text},
};

/// The rows of one partition between the bounds, strongly consistent.
pub(super) async fn query(records: &DynamoRecords, query: &Query) -> Result<Vec<Row>, PortError> {
    let now = records.clock.now();
    let mut rows = Vec::new();
    let mut pages = Pages::new(query, row::PARTITION, row::SORT);
    while rows.len() < query.limit
        && let Some(items) = pages.next(records, query.limit - rows.len()).await?
    {
        for item in items {
            rows.extend(row::read(item, now)?);
        }
    }
    rows.truncate(query.limit);
    Ok(rows)
}

/// Items of one partition of the table or of an index, page by page.
pub(super) struct Pages<'q> {
    query: &'q Query,
    partition_name: &'q str,
    sort_name: &'q str,
    last: Option<Item>,
    is_over: bool,
}

impl<'q> Pages<'q> {
    pub(super) fn new(query: &'q Query, partition_name: &'q str, sort_name: &'q str) -> Self {
        let bounds = &query.bounds;
        // DynamoDB refuses an empty range.
        let is_empty =
            bounds.after.as_ref().zip(bounds.before.as_ref()).is_some_and(|(after, before)| after >= before);
        Self { query, partition_name, sort_name, last: None, is_over: is_empty }
    }

    /// The next page, which may be empty; `None` behind the last one. Reads about as many items as are `wanted`.
    pub(super) async fn next(
        &mut self,
        records: &DynamoRecords,
        wanted: usize,
    ) -> Result<Option<Vec<Item>>, PortError> {
        if self.is_over {
            return Ok(None);
        }
        let builder = records
            .dynamo
            .query()
            .table_name(&records.table)
            .consistent_read(self.query.index == 0)
            .scan_index_forward(!self.query.descending)
            .set_exclusive_start_key(self.last.take())
            // Two more, for the bounds that are read with the range.
            .limit(i32::try_from(wanted).unwrap_or(i32::MAX).saturating_add(2));
        let page =
            self.between(builder).send().await.map_err(|error| port_error(&records.target(), &error))?;
        self.last = page.last_evaluated_key;
        self.is_over = self.last.is_none();
        let mut items = page.items.unwrap_or_default();
        items.retain(|item| self.is_inside(item));
        Ok(Some(items))
    }

    /// DynamoDB takes one condition on the sort key, and `BETWEEN` includes its ends.
    fn between(&self, query: QueryFluentBuilder) -> QueryFluentBuilder {
        let bounds = &self.query.bounds;
        let condition = match (&bounds.after, &bounds.before) {
            (None, None) => "#p = :p",
            (Some(_), None) => "#p = :p AND #s > :after",
            (None, Some(_)) => "#p = :p AND #s < :before",
            (Some(_), Some(_)) => "#p = :p AND #s BETWEEN :after AND :before",
        };
        let mut query = query
            .key_condition_expression(condition)
            .expression_attribute_names("#p", self.partition_name)
            .expression_attribute_values(":p", text(&self.query.partition));
        for (name, bound) in [(":after", &bounds.after), (":before", &bounds.before)] {
            if let Some(bound) = bound {
                query = query
                    .expression_attribute_names("#s", self.sort_name)
                    .expression_attribute_values(name, text(bound));
            }
        }
        if self.query.index > 0 {
            query = query.index_name(row::index_names(self.query.index).0);
        }
        query
    }

    fn is_inside(&self, item: &Item) -> bool {
        let bounds = &self.query.bounds;
        let Some(Ok(sort)) = item.get(self.sort_name).map(|sort| sort.as_s()) else { return true };
        bounds.after.as_ref() != Some(sort) && bounds.before.as_ref() != Some(sort)
    }
}
