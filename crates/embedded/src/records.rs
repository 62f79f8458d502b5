//! Read models and state.

mod range;
mod row;
mod writes;

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};
use waxwing_app::ports::{Consistency, Erased, Erasure, Key, PortError, Query, Records, Row, Write};
use waxwing_domain::AccountId;

pub(crate) use self::writes::remove_expired;
use crate::{
    codec::time_ms,
    failure::{Stop, over_limit},
    search,
    store::Store,
    writer::Transaction,
};

const QUERY_LIMIT: usize = 1000;
const WRITE_EACH_LIMIT: usize = 1000;
const WRITE_ALL_LIMIT: usize = 100;
/// Rows that are removed in one transaction: others write in between.
const ERASED_AT_ONCE: usize = 500;

/// Rows in a table of the same file. Every read is strongly consistent.
pub(crate) struct SqliteRecords {
    pub(crate) store: Arc<Store>,
}

#[async_trait]
impl Records for SqliteRecords {
    async fn get(&self, key: &Key, _consistency: Consistency) -> Result<Option<Row>, PortError> {
        let key = key.clone();
        let now_ms = time_ms(self.store.clock.now());
        self.store.readers.read(move |connection| get(connection, key, now_ms)).await
    }

    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<bool>, PortError> {
        if writes.len() > WRITE_EACH_LIMIT {
            return Err(over_limit("writes at once", WRITE_EACH_LIMIT));
        }
        writes::check_each(&writes)?;
        self.store.writer.run(move |transaction| writes::each(transaction, &writes)).await
    }

    async fn write_all(&self, writes: Vec<Write>) -> Result<(), PortError> {
        if writes.len() > WRITE_ALL_LIMIT {
            return Err(over_limit("writes in one transaction", WRITE_ALL_LIMIT));
        }
        writes::check_all(&writes)?;
        self.store.writer.run(move |transaction| writes::all(transaction, &writes)).await
    }

    async fn query(&self, query: Query) -> Result<Vec<Row>, PortError> {
        if query.limit > QUERY_LIMIT {
            return Err(over_limit("rows in one query", QUERY_LIMIT));
        }
        let now_ms = time_ms(self.store.clock.now());
        self.store.readers.read(move |connection| range::query(connection, &query, now_ms)).await
    }

    async fn places(&self, query: Query) -> Result<Vec<String>, PortError> {
        if query.limit > QUERY_LIMIT {
            return Err(over_limit("rows in one query", QUERY_LIMIT));
        }
        self.store.readers.read(move |connection| range::places(connection, &query)).await
    }
}

#[async_trait]
impl Erasure for SqliteRecords {
    async fn erase_rows(&self, account: AccountId, _after: Option<&str>) -> Result<Erased, PortError> {
        let chunk = move |transaction: &Transaction<'_>| {
            Ok(writes::remove_partitions(transaction.connection(), &account.to_string(), ERASED_AT_ONCE)?)
        };
        let mut removed = self.store.writer.run(chunk).await?;
        let mut is_all = removed < ERASED_AT_ONCE;
        if is_all {
            let chunk = move |transaction: &Transaction<'_>| {
                Ok(search::erase_some(transaction.connection(), account, ERASED_AT_ONCE)?)
            };
            (removed, is_all) = {
                let (documents, is_all) = self.store.writer.run(chunk).await?;
                (removed + documents, is_all)
            };
        }
        // What is left is found anew.
        Ok(Erased { rows: removed as u64, next: (!is_all).then(String::new) })
    }
}

fn get(connection: &Connection, key: Key, now_ms: i64) -> Result<Option<Row>, Stop> {
    let mut statement = connection.prepare_cached(
        "SELECT partition, sort, value, version, indexes, expires_at_ms FROM records
         WHERE partition = ?1 AND sort = ?2 AND (expires_at_ms IS NULL OR expires_at_ms >= ?3)",
    )?;
    Ok(statement.query_row(params![key.partition, key.sort, now_ms], row::read).optional()?)
}
