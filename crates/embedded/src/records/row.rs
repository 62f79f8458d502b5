//! How a row looks in the table.

use rusqlite::types::Type;
use waxwing_app::ports::{IndexEntry, Key, Row};

use crate::codec::{loaded, time, unreadable};

/// Reads `partition, sort, value, version, indexes, expires_at_ms`.
pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let indexes: Option<String> = row.get(4)?;
    let expires_at_ms: Option<i64> = row.get(5)?;
    Ok(Row {
        key: Key { partition: row.get(0)?, sort: row.get(1)? },
        value: row.get(2)?,
        version: loaded(row.get(3)?),
        indexes: read_indexes(4, indexes.as_deref())?,
        expires_at: expires_at_ms.map(|ms| time(5, ms)).transpose()?,
    })
}

/// The entries as the table keeps them beside their row.
pub(super) fn write_indexes(entries: &[IndexEntry]) -> Option<String> {
    if entries.is_empty() {
        return None;
    }
    let parts: Vec<_> = entries.iter().map(|entry| (entry.index, &entry.partition, &entry.sort)).collect();
    Some(serde_json::to_string(&parts).expect("numbers and texts are always JSON"))
}

/// The reverse of [`write_indexes`], for the column with this number.
pub(super) fn read_indexes(column: usize, text: Option<&str>) -> rusqlite::Result<Vec<IndexEntry>> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let parts: Vec<(u8, String, String)> =
        serde_json::from_str(text).map_err(|error| unreadable(column, Type::Text, error))?;
    Ok(parts.into_iter().map(|(index, partition, sort)| IndexEntry { index, partition, sort }).collect())
}
