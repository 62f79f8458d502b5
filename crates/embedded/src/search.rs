//! Messages by their words, in SQLite's full-text index (FTS5). It keeps words and no texts, as `schema/3.sql` says.

mod erase;
mod find;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _};
use waxwing_app::{
    ports::{Document, PortError, Search, SearchPage, SearchQuery},
    search::first_words,
};
use waxwing_domain::{AccountId, Jid, SessionId};

pub(crate) use self::erase::erase_some;
use self::write::Prepared;
use crate::{failure::over_limit, store::Store, writer::Transaction};

/// Most different words that are indexed of one message: the first ones of its text.
const INDEXED_WORDS_MAX: usize = 4_096;
const INDEX_LIMIT: usize = 1_000;
const SEARCH_LIMIT: usize = 1_000;
/// Messages that are indexed in one transaction: others write in between.
const INDEXED_AT_ONCE: usize = 64;
/// Bits of a place that number the messages of one millisecond.
const NUMBER_BITS: u32 = 20;
/// The last millisecond that has places, some centuries from now.
const TIME_MAX_MS: i64 = (i64::MAX >> NUMBER_BITS) - 1;

/// The full-text index.
pub(crate) struct SqliteSearch {
    pub(crate) store: Arc<Store>,
}

#[async_trait]
impl Search for SqliteSearch {
    async fn index(&self, account: AccountId, documents: Vec<Document>) -> Result<(), PortError> {
        if documents.len() > INDEX_LIMIT {
            return Err(over_limit("messages to index at once", INDEX_LIMIT));
        }
        for documents in documents.chunks(INDEXED_AT_ONCE) {
            let prepared: Vec<Prepared> = documents.iter().map(|one| Prepared::of(account, one)).collect();
            let index = move |transaction: &Transaction<'_>| Ok(write::all(transaction, account, &prepared)?);
            self.store.writer.run(index).await?;
        }
        Ok(())
    }

    async fn search(&self, account: AccountId, query: &SearchQuery) -> Result<SearchPage, PortError> {
        if query.limit > SEARCH_LIMIT {
            return Err(over_limit("messages in one search", SEARCH_LIMIT));
        }
        let query = query.clone();
        self.store.readers.read(move |connection| Ok(find::page(connection, account, &query)?)).await
    }
}

/// The first place of a millisecond.
fn place_of(time_ms: i64) -> i64 {
    time_ms.clamp(0, TIME_MAX_MS) << NUMBER_BITS
}

/// The millisecond of a place.
fn time_of(place: i64) -> i64 {
    place >> NUMBER_BITS
}

/// Names of what has a number. The account's is its id.
fn session_name(account: AccountId, session: SessionId) -> String {
    format!("{account}/{session}")
}

fn chat_name(account: AccountId, chat: &Jid) -> String {
    format!("{account}/{chat}")
}

fn number(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT number FROM search_names WHERE name = ?1")?;
    statement.query_row([name], |row| row.get(0)).optional()
}

/// A word as it stands in the index. Digits end at the `x`, so no account's words begin like another's.
fn token(account: i64, word: &str) -> String {
    format!("{account}x{word}")
}

fn indexed_words(text: &str) -> Vec<String> {
    first_words(text, INDEXED_WORDS_MAX)
}
