//! Queries on indexes. An index holds keys only, so that a row which changes without moving costs no index write; the
//! rows are read behind it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use waxwing_app::ports::{IndexEntry, Key, PortError, Query, Row};

use super::{DynamoRecords, range::Pages, row};
use crate::{
    failure::{port_error, refused},
    item::{Item, Reader},
    pause::{TRIES, pause},
};

/// What one `BatchGetItem` takes.
const KEYS_AT_ONCE: usize = 100;
const BATCHES_AT_ONCE: usize = 4;

/// The rows of one partition of an index between the bounds.
pub(super) async fn query(records: &DynamoRecords, query: &Query) -> Result<Vec<Row>, PortError> {
    if !row::INDEXES.contains(&query.index) {
        return Err(refused("there are indexes 1, 2 and 3"));
    }
    let now = records.clock.now();
    let (_, partition_name, sort_name) = row::index_names(query.index);
    let mut rows = Vec::new();
    let mut pages = Pages::new(query, &partition_name, &sort_name);
    while rows.len() < query.limit
        && let Some(items) = pages.next(records, query.limit - rows.len()).await?
    {
        let entries: Vec<(IndexEntry, Key)> =
            items.iter().map(|item| entry(query, &sort_name, item)).collect::<Result<_, _>>()?;
        let mut found = rows_of(records, &entries, now).await?;
        rows.extend(entries.iter().filter_map(|(entry, key)| {
            // An index lags: the row may be gone, or stand elsewhere by now.
            found.remove(key).filter(|row| row.indexes.contains(entry))
        }));
    }
    rows.truncate(query.limit);
    Ok(rows)
}

/// The sort keys of one partition of an index between the bounds.
pub(super) async fn places(records: &DynamoRecords, query: &Query) -> Result<Vec<String>, PortError> {
    if !row::INDEXES.contains(&query.index) {
        return Err(refused("there are indexes 1, 2 and 3"));
    }
    let (_, partition_name, sort_name) = row::index_names(query.index);
    let mut places = Vec::new();
    let mut pages = Pages::new(query, &partition_name, &sort_name);
    while places.len() < query.limit
        && let Some(items) = pages.next(records, query.limit - places.len()).await?
    {
        for item in items {
            places.push(entry(query, &sort_name, &item)?.0.sort);
        }
    }
    places.truncate(query.limit);
    Ok(places)
}

fn entry(query: &Query, sort_name: &str, item: &Item) -> Result<(IndexEntry, Key), PortError> {
    let sort = Reader { what: "an index entry", item }.text(sort_name)?;
    let entry = IndexEntry { index: query.index, partition: query.partition.clone(), sort };
    Ok((entry, row::read_key(item)?))
}

async fn rows_of(
    records: &DynamoRecords,
    entries: &[(IndexEntry, Key)],
    now: Timestamp,
) -> Result<HashMap<Key, Row>, PortError> {
    let batches: Vec<_> = entries
        .chunks(KEYS_AT_ONCE)
        .map(|chunk| batch_get(records, chunk.iter().map(|(_, key)| row::key(key)).collect()))
        .collect();
    let items: Vec<Vec<Item>> = stream::iter(batches).buffer_unordered(BATCHES_AT_ONCE).try_collect().await?;
    let mut rows = HashMap::with_capacity(entries.len());
    for item in items.into_iter().flatten() {
        rows.extend(row::read(item, now)?.map(|row| (row.key.clone(), row)));
    }
    Ok(rows)
}

/// The items with these keys that exist. DynamoDB leaves keys over when it is busy, and past 16 MB.
async fn batch_get(records: &DynamoRecords, mut keys: Vec<Item>) -> Result<Vec<Item>, PortError> {
    let mut items = Vec::with_capacity(keys.len());
    let mut tries_in_vain = 0;
    while tries_in_vain < TRIES {
        let asked = keys.len();
        let request = KeysAndAttributes::builder().set_keys(Some(keys)).build().expect("the keys are set");
        let got = records
            .dynamo
            .batch_get_item()
            .request_items(&records.table, request)
            .send()
            .await
            .map_err(|error| port_error(&records.target(), &error))?;
        items.extend(got.responses.unwrap_or_default().into_values().flatten());
        keys = got.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys).collect();
        if keys.is_empty() {
            return Ok(items);
        }
        if keys.len() == asked {
            pause(&*records.entropy, tries_in_vain).await;
            tries_in_vain += 1;
        }
    }
    Err(PortError::Throttled(format!(
        "{}: {} keys were left over {TRIES} times",
        records.target(),
        keys.len()
    )))
}
