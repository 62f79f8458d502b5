use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, params, types::Type};
use waxwing_app::ports::{Appended, Claim, ClaimKey, Commit, Journal, Order, PortError, StreamName};
use waxwing_domain::AccountId;

use crate::{
    codec::{loaded, stored, time, time_ms, unreadable},
    failure::Stop,
    store::Store,
    writer::Transaction,
};

/// Columns of a commit in the order of [`read_commit`].
pub(crate) const COMMIT_COLUMNS: &str =
    "position, account, stream, version, types, actor, request_id, trace_id, at_ms, key_id, payload";

/// The journal in a table.
pub(crate) struct SqliteJournal {
    pub(crate) store: Arc<Store>,
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn append(&self, commit: Commit, claims: Vec<Claim>) -> Result<Appended, PortError> {
        self.store.writer.run(move |transaction| append(transaction, &commit, &claims)).await
    }

    async fn read(&self, account: AccountId, stream: &StreamName) -> Result<Vec<Commit>, PortError> {
        let stream = stream.clone();
        self.store.readers.read(move |connection| read_stream(connection, account, &stream)).await
    }

    async fn claim(&self, key: &ClaimKey) -> Result<Option<Vec<u8>>, PortError> {
        let key = key.clone();
        let now_ms = time_ms(self.store.clock.now());
        self.store.readers.read(move |connection| Ok(holder(connection, &key, now_ms)?)).await
    }
}

fn append(transaction: &Transaction<'_>, commit: &Commit, claims: &[Claim]) -> Result<Appended, Stop> {
    let account = commit.account.to_string();
    if head(transaction, &account, &commit.stream)?.checked_add(1) != Some(commit.version) {
        return Ok(Appended::HeadMoved);
    }
    for claim in claims {
        let Claim::Take { key, .. } = claim else { continue };
        if let Some(value) = holder(transaction.connection(), key, transaction.now_ms)? {
            return Ok(Appended::ClaimTaken { key: key.clone(), value });
        }
    }
    for claim in claims {
        write_claim(transaction, claim)?;
    }
    let types = serde_json::to_string(&commit.types).expect("a list of texts is always JSON");
    transaction.execute(
        "INSERT INTO commits (account, stream, version, kind, types, actor, request_id, trace_id, at_ms, key_id, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            account,
            commit.stream.0,
            stored(commit.version),
            commit.stream.kind(),
            types,
            commit.actor,
            commit.request_id,
            commit.trace_id,
            time_ms(commit.at),
            commit.key_id,
            commit.payload,
        ],
    )?;
    let position = loaded(transaction.last_row_id());
    transaction.appended(position);
    Ok(Appended::Done(order(position)))
}

fn head(transaction: &Transaction<'_>, account: &str, stream: &StreamName) -> rusqlite::Result<u64> {
    let mut statement = transaction.prepare(
        "SELECT version FROM commits WHERE account = ?1 AND stream = ?2 ORDER BY version DESC LIMIT 1",
    )?;
    let head: Option<i64> = statement.query_row(params![account, stream.0], |row| row.get(0)).optional()?;
    Ok(loaded(head.unwrap_or(0)))
}

fn holder(connection: &Connection, key: &ClaimKey, now_ms: i64) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached(
            "SELECT value FROM claims WHERE key = ?1 AND (expires_at_ms IS NULL OR expires_at_ms >= ?2)",
        )?
        .query_row(params![key.0, now_ms], |row| row.get(0))
        .optional()
}

fn write_claim(transaction: &Transaction<'_>, claim: &Claim) -> rusqlite::Result<()> {
    match claim {
        Claim::Take { key, value, expires_at } => transaction.execute(
            // What is replaced here has expired.
            "INSERT OR REPLACE INTO claims (key, value, expires_at_ms) VALUES (?1, ?2, ?3)",
            params![key.0, value, expires_at.map(time_ms)],
        )?,
        Claim::Release { key } => transaction.execute("DELETE FROM claims WHERE key = ?1", params![key.0])?,
    };
    Ok(())
}

fn read_stream(
    connection: &Connection,
    account: AccountId,
    stream: &StreamName,
) -> Result<Vec<Commit>, Stop> {
    let sql =
        format!("SELECT {COMMIT_COLUMNS} FROM commits WHERE account = ?1 AND stream = ?2 ORDER BY version");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![account.to_string(), stream.0], |row| Ok(read_commit(row)?.1))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A commit with its position.
pub(crate) fn read_commit(row: &Row<'_>) -> rusqlite::Result<(u64, Commit)> {
    let account: String = row.get(1)?;
    let types: String = row.get(4)?;
    let commit = Commit {
        account: AccountId::parse(&account).map_err(|error| unreadable(1, Type::Text, error))?,
        stream: StreamName(row.get(2)?),
        version: loaded(row.get(3)?),
        types: serde_json::from_str(&types).map_err(|error| unreadable(4, Type::Text, error))?,
        actor: row.get(5)?,
        request_id: row.get(6)?,
        trace_id: row.get(7)?,
        at: time(8, row.get(8)?)?,
        key_id: row.get(9)?,
        payload: row.get(10)?,
    };
    Ok((loaded(row.get(0)?), commit))
}

/// A position as text that sorts like the number.
pub(crate) fn order(position: u64) -> Order {
    Order(format!("{position:020}"))
}

/// The reverse of [`order`].
pub(crate) fn position(order: &Order) -> Result<u64, PortError> {
    order.0.parse().map_err(|_| PortError::Corrupt(format!("{:?} is no place in the feed", order.0)))
}
