//! Read models and state: rows in one table with three indexes.

mod erase;
mod guard;
mod index;
mod owners;
mod range;
mod row;
mod scan;
mod writes;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use waxwing_app::ports::{Clock, Consistency, Entropy, Key, PortError, Query, Records, Row, Write};

use crate::{
    failure::{port_error, refused},
    item::{Item, text},
};

const QUERY_LIMIT: usize = 1_000;
const WRITE_EACH_LIMIT: usize = 1_000;
const WRITE_ALL_LIMIT: usize = 100;

/// Rows in a table.
pub(crate) struct DynamoRecords {
    pub(crate) dynamo: Client,
    pub(crate) table: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl DynamoRecords {
    /// The table as error texts name it.
    fn target(&self) -> String {
        format!("table {}", self.table)
    }

    async fn item(&self, key: &Key, consistency: Consistency) -> Result<Option<Item>, PortError> {
        let get = self
            .dynamo
            .get_item()
            .table_name(&self.table)
            .key(row::PARTITION, text(&key.partition))
            .key(row::SORT, text(&key.sort))
            .consistent_read(consistency == Consistency::Strong);
        let got = get.send().await.map_err(|error| port_error(&self.target(), &error))?;
        Ok(got.item)
    }
}

#[async_trait]
impl Records for DynamoRecords {
    async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Row>, PortError> {
        match self.item(key, consistency).await? {
            Some(item) => row::read(item, self.clock.now()),
            None => Ok(None),
        }
    }

    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<bool>, PortError> {
        if writes.len() > WRITE_EACH_LIMIT {
            return Err(refused(format_args!("more than {WRITE_EACH_LIMIT} writes at once")));
        }
        writes::each(self, &writes).await
    }

    async fn write_all(&self, writes: Vec<Write>) -> Result<(), PortError> {
        if writes.len() > WRITE_ALL_LIMIT {
            return Err(refused(format_args!("more than {WRITE_ALL_LIMIT} writes in one transaction")));
        }
        writes::all(self, &writes).await
    }

    async fn query(&self, query: Query) -> Result<Vec<Row>, PortError> {
        if query.limit > QUERY_LIMIT {
            return Err(refused(format_args!("more than {QUERY_LIMIT} rows in one query")));
        }
        match query.index {
            0 => range::query(self, &query).await,
            _ => index::query(self, &query).await,
        }
    }

    async fn places(&self, query: Query) -> Result<Vec<String>, PortError> {
        if query.limit > QUERY_LIMIT {
            return Err(refused(format_args!("more than {QUERY_LIMIT} rows in one query")));
        }
        index::places(self, &query).await
    }
}
