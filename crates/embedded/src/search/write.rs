use rusqlite::{OptionalExtension as _, params};
use waxwing_app::ports::Document;
use waxwing_domain::AccountId;

use super::{NUMBER_BITS, chat_name, indexed_words, number, place_of, session_name, token};
use crate::{
    codec::{loaded, stored, time_ms},
    writer::Transaction,
};

/// A document as far as it needs no database.
pub(super) struct Prepared {
    message: String,
    session: String,
    chat: String,
    time_ms: i64,
    version: u64,
    words: Vec<String>,
}

impl Prepared {
    pub(super) fn of(account: AccountId, document: &Document) -> Self {
        Self {
            message: document.message.to_string(),
            session: session_name(account, document.session),
            chat: chat_name(account, &document.chat),
            time_ms: time_ms(document.committed_at),
            version: document.version,
            words: indexed_words(&document.text),
        }
    }
}

pub(super) fn all(
    transaction: &Transaction<'_>,
    account: AccountId,
    documents: &[Prepared],
) -> rusqlite::Result<()> {
    let account = numbered(transaction, &account.to_string())?;
    documents.iter().try_for_each(|document| one(transaction, account, document))
}

fn one(transaction: &Transaction<'_>, account: i64, document: &Prepared) -> rusqlite::Result<()> {
    let there: Option<(i64, i64)> = transaction
        .prepare("SELECT place, version FROM search_documents WHERE account = ?1 AND message = ?2")?
        .query_row(params![account, document.message], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let place = match there {
        Some((_, version)) if loaded(version) > document.version => return Ok(()),
        Some((place, _)) => place,
        None if document.words.is_empty() => return Ok(()),
        None => free_place(transaction, document.time_ms)?,
    };
    transaction.execute(
        "INSERT INTO search_documents (place, account, message, version) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (account, message) DO UPDATE SET version = excluded.version",
        params![place, account, document.message, stored(document.version)],
    )?;
    if document.words.is_empty() {
        // The row that says which version it was stays: an older one does not come back.
        transaction.execute("DELETE FROM search WHERE rowid = ?1", [place])?;
        return Ok(());
    }
    let words: Vec<String> = document.words.iter().map(|word| token(account, word)).collect();
    let (session, chat) = (numbered(transaction, &document.session)?, numbered(transaction, &document.chat)?);
    transaction.execute(
        "INSERT OR REPLACE INTO search (rowid, text, scope) VALUES (?1, ?2, ?3)",
        params![place, words.join(" "), format!("s{session} c{chat}")],
    )?;
    Ok(())
}

/// The number of a name, a new one at its first use.
fn numbered(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<i64> {
    if let Some(number) = number(transaction.connection(), name)? {
        return Ok(number);
    }
    transaction.execute("INSERT INTO search_names (name) VALUES (?1)", [name])?;
    Ok(transaction.last_row_id())
}

/// Behind all of its millisecond; of the next one, should it be full.
fn free_place(transaction: &Transaction<'_>, time_ms: i64) -> rusqlite::Result<i64> {
    let mut first = place_of(time_ms);
    loop {
        let end = first + (1 << NUMBER_BITS);
        let last: Option<i64> = transaction
            .prepare("SELECT max(place) FROM search_documents WHERE place >= ?1 AND place < ?2")?
            .query_row([first, end], |row| row.get(0))?;
        match last {
            None => return Ok(first),
            Some(last) if last + 1 < end => return Ok(last + 1),
            Some(_) => first = end,
        }
    }
}
