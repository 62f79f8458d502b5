//! Guarded writes.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, params};
use waxwing_app::ports::{Guard, IndexEntry, Key, PortError, Row, Write};

use super::row::{read_indexes, write_indexes};
use crate::{
    codec::{loaded, stored, time_ms},
    failure::Stop,
    writer::Transaction,
};

const VALUE_LIMIT_BYTES: usize = 512 << 10;
const HIGHEST_INDEX: u8 = 3;

/// What stands at a key now.
struct Present {
    /// `None` when its time is over: guards then see no row.
    version: Option<u64>,
    indexes: Vec<IndexEntry>,
}

/// Refuses what no state of the table could make right.
pub(super) fn check_each(writes: &[Write]) -> Result<(), PortError> {
    writes.iter().try_for_each(|write| match write {
        Write::Put(row, _) => check_row(row),
        Write::Delete(..) => Ok(()),
        Write::Check(..) => Err(refused("a check by itself changes nothing and guards nothing")),
    })
}

/// Refuses what no state of the table could make right.
pub(super) fn check_all(writes: &[Write]) -> Result<(), PortError> {
    let mut keys = HashSet::with_capacity(writes.len());
    for write in writes {
        if let Write::Put(row, _) = write {
            check_row(row)?;
        }
        if !keys.insert(key_of(write)) {
            // All guards look at the state before the transaction: two for one row would contradict each other.
            return Err(refused("one row stands twice in a transaction"));
        }
    }
    Ok(())
}

fn check_row(row: &Row) -> Result<(), PortError> {
    if row.value.len() > VALUE_LIMIT_BYTES {
        return Err(refused("a row's value is larger than 512 KiB"));
    }
    if row.indexes.iter().any(|entry| entry.index == 0 || entry.index > HIGHEST_INDEX) {
        return Err(refused("there are indexes 1, 2 and 3"));
    }
    Ok(())
}

fn refused(problem: &str) -> PortError {
    PortError::Corrupt(format!("refused: {problem}"))
}

fn key_of(write: &Write) -> &Key {
    match write {
        Write::Put(row, _) => &row.key,
        Write::Delete(key, _) | Write::Check(key, _) => key,
    }
}

/// Applies each whose guard holds.
pub(super) fn each(transaction: &Transaction<'_>, writes: &[Write]) -> Result<Vec<bool>, Stop> {
    let mut applied = Vec::with_capacity(writes.len());
    for write in writes {
        let present = present(transaction, key_of(write))?;
        let holds = guard_holds(write, present.as_ref());
        if holds {
            apply(transaction, write, present.as_ref())?;
        }
        applied.push(holds);
    }
    Ok(applied)
}

/// Applies all when every guard holds.
pub(super) fn all(transaction: &Transaction<'_>, writes: &[Write]) -> Result<(), Stop> {
    let mut found = Vec::with_capacity(writes.len());
    for write in writes {
        let key = key_of(write);
        let present = present(transaction, key)?;
        if !guard_holds(write, present.as_ref()) {
            let problem = format!("a guard on {}/{} does not hold", key.partition, key.sort);
            return Err(Stop::Refused(PortError::Conflict(problem)));
        }
        found.push(present);
    }
    for (write, present) in writes.iter().zip(&found) {
        apply(transaction, write, present.as_ref())?;
    }
    Ok(())
}

fn present(transaction: &Transaction<'_>, key: &Key) -> rusqlite::Result<Option<Present>> {
    transaction
        .prepare("SELECT version, indexes, expires_at_ms FROM records WHERE partition = ?1 AND sort = ?2")?
        .query_row(params![key.partition, key.sort], |row| {
            let expires_at_ms: Option<i64> = row.get(2)?;
            let is_over = expires_at_ms.is_some_and(|ms| ms < transaction.now_ms);
            let indexes: Option<String> = row.get(1)?;
            Ok(Present {
                version: if is_over { None } else { Some(loaded(row.get(0)?)) },
                indexes: read_indexes(1, indexes.as_deref())?,
            })
        })
        .optional()
}

fn guard_holds(write: &Write, present: Option<&Present>) -> bool {
    let version = present.and_then(|present| present.version);
    let (guard, new_version) = match write {
        Write::Put(row, guard) => (guard, Some(row.version)),
        Write::Delete(_, guard) | Write::Check(_, guard) => (guard, None),
    };
    match guard {
        Guard::Always => true,
        Guard::Absent => version.is_none(),
        // What brings no version of its own is newer than nothing only.
        Guard::Newer => version.is_none_or(|old| new_version.is_some_and(|new| old < new)),
        Guard::Exactly(wanted) => version == Some(*wanted),
    }
}

fn apply(transaction: &Transaction<'_>, write: &Write, present: Option<&Present>) -> rusqlite::Result<()> {
    let old_indexes = present.map_or(&[][..], |present| &present.indexes);
    match write {
        Write::Check(..) => Ok(()),
        Write::Delete(..) if present.is_none() => Ok(()),
        Write::Delete(key, _) => {
            remove_indexes(transaction, key, old_indexes)?;
            transaction.execute(
                "DELETE FROM records WHERE partition = ?1 AND sort = ?2",
                params![key.partition, key.sort],
            )?;
            Ok(())
        },
        Write::Put(row, _) => {
            if old_indexes != row.indexes {
                remove_indexes(transaction, &row.key, old_indexes)?;
                add_indexes(transaction, row)?;
            }
            put(transaction, row)
        },
    }
}

fn put(transaction: &Transaction<'_>, row: &Row) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO records (partition, sort, value, version, indexes, expires_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (partition, sort) DO UPDATE SET value = excluded.value, version = excluded.version,
         indexes = excluded.indexes, expires_at_ms = excluded.expires_at_ms",
        params![
            row.key.partition,
            row.key.sort,
            row.value,
            stored(row.version),
            write_indexes(&row.indexes),
            row.expires_at.map(time_ms),
        ],
    )?;
    Ok(())
}

fn add_indexes(transaction: &Transaction<'_>, row: &Row) -> rusqlite::Result<()> {
    for entry in &row.indexes {
        transaction.execute(
            "INSERT OR IGNORE INTO record_indexes (idx, partition, sort, row_partition, row_sort) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![entry.index, entry.partition, entry.sort, row.key.partition, row.key.sort],
        )?;
    }
    Ok(())
}

fn remove_indexes(transaction: &Transaction<'_>, key: &Key, entries: &[IndexEntry]) -> rusqlite::Result<()> {
    for entry in entries {
        transaction.execute(
            REMOVE_INDEX,
            params![entry.index, entry.partition, entry.sort, key.partition, key.sort],
        )?;
    }
    Ok(())
}

const REMOVE_INDEX: &str = "DELETE FROM record_indexes
    WHERE idx = ?1 AND partition = ?2 AND sort = ?3 AND row_partition = ?4 AND row_sort = ?5";

/// Removes expired rows, the longest expired first; says how many.
pub(crate) fn remove_expired(connection: &Connection, now_ms: i64, limit: usize) -> rusqlite::Result<usize> {
    remove(
        connection,
        "SELECT rowid, partition, sort, indexes FROM records WHERE expires_at_ms < ?1 ORDER BY expires_at_ms LIMIT ?2",
        params![now_ms, limit as i64],
    )
}

/// Removes rows whose partition begins with this name, up to the next slash; says how many.
pub(super) fn remove_partitions(
    connection: &Connection,
    name: &str,
    limit: usize,
) -> rusqlite::Result<usize> {
    remove(
        connection,
        // `0` is the character behind `/`.
        "SELECT rowid, partition, sort, indexes FROM records WHERE partition >= ?1 || '/' AND partition < ?1 || '0' LIMIT ?2",
        params![name, limit as i64],
    )
}

fn remove(
    connection: &Connection,
    select: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<usize> {
    let found: Vec<(i64, Key, Option<String>)> = connection
        .prepare_cached(select)?
        .query_map(parameters, |row| {
            Ok((row.get(0)?, Key { partition: row.get(1)?, sort: row.get(2)? }, row.get(3)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (row_id, key, indexes) in &found {
        for entry in read_indexes(3, indexes.as_deref())? {
            connection.prepare_cached(REMOVE_INDEX)?.execute(params![
                entry.index,
                entry.partition,
                entry.sort,
                key.partition,
                key.sort
            ])?;
        }
        connection.prepare_cached("DELETE FROM records WHERE rowid = ?1")?.execute([row_id])?;
    }
    Ok(found.len())
}
