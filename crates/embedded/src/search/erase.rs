use rusqlite::{Connection, params};
use waxwing_domain::AccountId;

use super::number;

/// Pages of the index that one call writes anew, at most: a fraction of a second.
const PAGES_AT_ONCE: i64 = -512;
/// Less than this many changes say that there was nothing to do (SQLite's documentation of FTS5, "merge").
const CHANGES_MIN: i64 = 2;

/// Removes up to `limit` messages of the account from the index, or what is left of their words; says how many messages, and
/// whether that was all.
///
/// A message that is removed is only marked, and its words stay in the file until FTS5 writes that part of its index anew: so
/// all of it is, some pages at a time. A negative number has FTS5 do that where it would not by itself.
pub(crate) fn erase_some(
    connection: &Connection,
    account: AccountId,
    limit: usize,
) -> rusqlite::Result<(usize, bool)> {
    let name = account.to_string();
    let Some(own) = number(connection, &name)? else { return Ok((0, true)) };
    let removed = remove_documents(connection, own, limit)?;
    if removed > 0 {
        return Ok((removed, false));
    }
    if merges(connection)? {
        return Ok((0, false));
    }
    let names = connection
        .prepare_cached(
            "DELETE FROM search_names WHERE number IN
             (SELECT number FROM search_names WHERE name >= ?1 || '/' AND name < ?1 || '0' LIMIT ?2)",
        )?
        .execute(params![name, limit as i64])?;
    if names == limit {
        return Ok((0, false));
    }
    // Last: while it is there, there is something to do.
    connection.execute("DELETE FROM search_names WHERE number = ?1", [own])?;
    Ok((0, true))
}

fn remove_documents(connection: &Connection, own: i64, limit: usize) -> rusqlite::Result<usize> {
    let places: Vec<i64> = connection
        .prepare_cached("SELECT place FROM search_documents WHERE account = ?1 LIMIT ?2")?
        .query_map(params![own, limit as i64], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for place in &places {
        connection.prepare_cached("DELETE FROM search WHERE rowid = ?1")?.execute([place])?;
        connection.prepare_cached("DELETE FROM search_documents WHERE place = ?1")?.execute([place])?;
    }
    Ok(places.len())
}

/// Writes some pages anew; false when there was nothing to do.
fn merges(connection: &Connection) -> rusqlite::Result<bool> {
    let changes = || connection.query_row("SELECT total_changes()", [], |row| row.get::<_, i64>(0));
    let before = changes()?;
    connection.execute("INSERT INTO search (search, rank) VALUES ('merge', ?1)", [PAGES_AT_ONCE])?;
    Ok(changes()? - before >= CHANGES_MIN)
}
