use rusqlite::{Connection, OptionalExtension as _, params, types::Type};
use waxwing_app::{
    ports::{Found, SearchPage, SearchQuery},
    search::Term,
};
use waxwing_domain::{AccountId, MessageId};

use super::{chat_name, number, place_of, session_name, time_of, token};
use crate::codec::{limit, time, time_ms, unreadable};

pub(super) fn page(
    connection: &Connection,
    account: AccountId,
    query: &SearchQuery,
) -> rusqlite::Result<SearchPage> {
    let Some(own) = number(connection, &account.to_string())? else { return Ok(SearchPage::default()) };
    let Some(expression) = expression(connection, account, own, query)? else {
        return Ok(SearchPage::default());
    };
    let (from, to) = bounds(connection, own, query)?;
    // Rows of the index come in the order of their places, either way: nothing is sorted, and what the limit leaves out is not
    // read. CROSS JOIN keeps SQLite from turning the order of the two tables round.
    let direction = if query.descending { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT d.place, d.message FROM search CROSS JOIN search_documents d ON d.place = search.rowid
         WHERE search MATCH ?1 AND search.rowid >= ?2 AND search.rowid < ?3 AND d.account = ?4
         ORDER BY search.rowid {direction} LIMIT ?5"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![expression, from, to, own, limit(query.limit)], |row| {
        let message: String = row.get(1)?;
        let message = MessageId::parse(&message).map_err(|error| unreadable(1, Type::Text, error))?;
        Ok(Found { committed_at: time(0, time_of(row.get(0)?))?, message })
    })?;
    let found = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let next = found.last().copied().filter(|_| found.len() == query.limit);
    Ok(SearchPage { found, next })
}

/// The query as FTS5 reads it; `None` when nothing can be found. Words hold neither quotes nor ASCII punctuation, so in quotes
/// they are words and nothing else.
fn expression(
    connection: &Connection,
    account: AccountId,
    own: i64,
    query: &SearchQuery,
) -> rusqlite::Result<Option<String>> {
    let terms: Vec<String> = query.terms.each().iter().map(|term| phrase(own, term)).collect();
    if terms.is_empty() {
        return Ok(None);
    }
    let mut expression = format!("text : ({})", terms.join(" AND "));
    if let Some(session) = query.session {
        let Some(session) = number(connection, &session_name(account, session))? else { return Ok(None) };
        expression += &format!(" AND scope : \"s{session}\"");
    }
    if !query.chats.is_empty() {
        let mut chats = Vec::new();
        for chat in &query.chats {
            let number = number(connection, &chat_name(account, chat))?;
            chats.extend(number.map(|number| format!("\"c{number}\"")));
        }
        if chats.is_empty() {
            return Ok(None);
        }
        expression += &format!(" AND scope : ({})", chats.join(" OR "));
    }
    Ok(Some(expression))
}

fn phrase(own: i64, term: &Term) -> String {
    let words: Vec<String> = term.words.iter().map(|word| token(own, word)).collect();
    format!("\"{}\"{}", words.join(" "), if term.is_prefix { " *" } else { "" })
}

/// The first place that is looked at, and the first that is not any more.
fn bounds(connection: &Connection, own: i64, query: &SearchQuery) -> rusqlite::Result<(i64, i64)> {
    let from = query.after.map_or(0, |after| place_of(time_ms(after) + 1));
    let to = query.before.map_or(i64::MAX, |before| place_of(time_ms(before)));
    let Some(cursor) = query.cursor else { return Ok((from, to)) };
    let there: Option<i64> = connection
        .prepare_cached("SELECT place FROM search_documents WHERE account = ?1 AND message = ?2")?
        .query_row(params![own, cursor.message.to_string()], |row| row.get(0))
        .optional()?;
    // A message that is not here any more: the others of its millisecond are looked at once more.
    let cursor_ms = time_ms(cursor.committed_at);
    Ok(match query.descending {
        false => (from.max(there.map_or(place_of(cursor_ms), |place| place + 1)), to),
        true => (from, to.min(there.unwrap_or(place_of(cursor_ms + 1)))),
    })
}
