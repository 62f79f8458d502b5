//! Range queries on the rows' own keys and on their other places.

use rusqlite::{Connection, ToSql, params_from_iter};
use waxwing_app::ports::{Query, Row};

use super::row;
use crate::{codec, failure::Stop};

/// The rows of one partition between the bounds that have not expired.
pub(super) fn query(connection: &Connection, query: &Query, now_ms: i64) -> Result<Vec<Row>, Stop> {
    let limit = codec::limit(query.limit);
    let mut parameters: Vec<&dyn ToSql> = vec![&query.partition, &now_ms, &limit];
    if query.index > 0 {
        parameters.push(&query.index);
    }
    let sql = select(query, &mut parameters);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(parameters), row::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn select<'q>(query: &'q Query, parameters: &mut Vec<&'q dyn ToSql>) -> String {
    // CROSS JOIN keeps SQLite from turning the order of the two tables round.
    let (place, source) = if query.index == 0 {
        ("r", "records r WHERE r.partition = ?1")
    } else {
        (
            "i",
            "record_indexes i CROSS JOIN records r ON r.partition = i.row_partition AND r.sort = i.row_sort
             WHERE i.idx = ?4 AND i.partition = ?1",
        )
    };
    let mut sql = format!(
        "SELECT r.partition, r.sort, r.value, r.version, r.indexes, r.expires_at_ms FROM {source}
         AND (r.expires_at_ms IS NULL OR r.expires_at_ms >= ?2)"
    );
    bounded(&mut sql, place, query, parameters);
    sql
}

/// The end of a query: bounds, order and limit.
fn bounded<'q>(sql: &mut String, place: &str, query: &'q Query, parameters: &mut Vec<&'q dyn ToSql>) {
    for (bound, comparison) in [(&query.bounds.after, ">"), (&query.bounds.before, "<")] {
        if let Some(bound) = bound {
            parameters.push(bound);
            *sql += &format!(" AND {place}.sort {comparison} ?{}", parameters.len());
        }
    }
    let direction = if query.descending { "DESC" } else { "ASC" };
    *sql += &format!(" ORDER BY {place}.sort {direction} LIMIT ?3");
}

/// The sort keys of one partition of an index between the bounds.
pub(super) fn places(connection: &Connection, query: &Query) -> Result<Vec<String>, Stop> {
    let limit = codec::limit(query.limit);
    let mut parameters: Vec<&dyn ToSql> = vec![&query.partition, &query.index, &limit];
    let mut sql = "SELECT i.sort FROM record_indexes i WHERE i.partition = ?1 AND i.idx = ?2".to_owned();
    bounded(&mut sql, "i", query, &mut parameters);
    let mut statement = connection.prepare_cached(&sql)?;
    let places = statement.query_map(params_from_iter(parameters), |row| row.get(0))?;
    Ok(places.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use waxwing_app::ports::Bounds;

    use super::*;

    /// A page of a chat costs what the page has, however many messages there are: nothing is walked through, nothing sorted.
    #[test]
    fn a_page_is_read_along_an_index() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../schema/1.sql")).unwrap();
        for (index, descending, bound) in [(0, false, None), (2, false, Some("m")), (2, true, Some("m"))] {
            let query = Query {
                index,
                partition: "chat".to_owned(),
                bounds: Bounds { after: None, before: bound.map(str::to_owned) },
                descending,
                limit: 50,
            };
            let (limit, now_ms) = (50_i64, 0_i64);
            let mut parameters: Vec<&dyn ToSql> = vec![&query.partition, &now_ms, &limit];
            if query.index > 0 {
                parameters.push(&query.index);
            }
            let sql = format!("EXPLAIN QUERY PLAN {}", select(&query, &mut parameters));
            let mut statement = connection.prepare(&sql).unwrap();
            let steps =
                statement.query_map(params_from_iter(parameters), |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<String> = steps.collect::<rusqlite::Result<_>>().unwrap();
            assert!(!steps.is_empty() && steps.iter().all(|step| step.starts_with("SEARCH")), "{steps:?}");
        }
    }
}
