use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use rusqlite::{Connection, ToSql, params, params_from_iter};
use waxwing_app::ports::{Feed, FeedItem, Order, PortError};

use crate::{
    codec::{limit as sql_limit, loaded, stored},
    failure::Stop,
    journal::{COMMIT_COLUMNS, order, position, read_commit},
    store::Store,
    writer::Transaction,
};

/// The commit table read by position, with a checkpoint for each consumer.
pub(crate) struct SqliteFeed {
    store: Arc<Store>,
    /// Up to which position the consumer's last `next` has looked. As many entries as there are consumers, which the
    /// program names.
    looked: Mutex<HashMap<String, u64>>,
}

impl SqliteFeed {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store, looked: Mutex::default() }
    }

    fn looked(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        // Numbers are whole at every moment, whatever panicked while they were held.
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Feed for SqliteFeed {
    async fn next(&self, consumer: &str, kinds: &[&str], limit: usize) -> Result<Vec<FeedItem>, PortError> {
        // Taken before the read, so that what is appended meanwhile is never counted as looked at.
        let latest = *self.store.signals.appended.borrow();
        let name = consumer.to_owned();
        let kinds: Vec<String> = kinds.iter().map(|&kind| kind.to_owned()).collect();
        let items: Vec<(u64, FeedItem)> = self
            .store
            .readers
            .read(move |connection| behind_checkpoint(connection, &name, &kinds, limit))
            .await?;
        // A full page says nothing about what stands behind it.
        let looked = items.last().filter(|_| items.len() == limit).map_or(latest, |(position, _)| *position);
        self.looked().insert(consumer.to_owned(), looked);
        Ok(items.into_iter().map(|(_, item)| item).collect())
    }

    async fn acknowledge(&self, consumer: &str, order: &Order) -> Result<(), PortError> {
        let position = position(order)?;
        let consumer = consumer.to_owned();
        self.store.writer.run(move |transaction| acknowledge(transaction, &consumer, position)).await
    }

    async fn changed(&self, consumer: &str) {
        let looked = self.looked().get(consumer).copied();
        // A consumer that never looked has everything before it.
        let Some(looked) = looked else { return };
        let mut appended = self.store.signals.appended.subscribe();
        // The sender lives in the store, so this ends only by a new position.
        let _ = appended.wait_for(|latest| *latest > looked).await;
    }
}

fn acknowledge(transaction: &Transaction<'_>, consumer: &str, position: u64) -> Result<(), Stop> {
    let latest: Option<i64> =
        transaction.prepare("SELECT max(position) FROM commits")?.query_row([], |row| row.get(0))?;
    if position > latest.map_or(0, loaded) {
        // Accepted, it would hide commits that nobody has written yet.
        let problem = format!("{position} is a place that the feed has not reached");
        return Err(Stop::Refused(PortError::Corrupt(problem)));
    }
    transaction.execute(
        "INSERT INTO checkpoints (consumer, position) VALUES (?1, ?2)
         ON CONFLICT (consumer) DO UPDATE SET position = excluded.position WHERE excluded.position > position",
        params![consumer, stored(position)],
    )?;
    Ok(())
}

fn behind_checkpoint(
    connection: &Connection,
    consumer: &str,
    kinds: &[String],
    limit: usize,
) -> Result<Vec<(u64, FeedItem)>, Stop> {
    let sql = select(kinds.len());
    let limit = sql_limit(limit);
    let mut parameters: Vec<&dyn ToSql> = vec![&consumer, &limit];
    parameters.extend(kinds.iter().map(|kind| kind as &dyn ToSql));
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(parameters), |row| {
        let (position, commit) = read_commit(row)?;
        Ok((position, FeedItem { order: order(position), commit }))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Each kind is looked up in its index by itself, so that a consumer of rare commits does not read the frequent ones
/// between them over and over.
fn select(kinds: usize) -> String {
    const START: &str = "coalesce((SELECT position FROM checkpoints WHERE consumer = ?1), 0)";
    let mut sql = format!("SELECT {COMMIT_COLUMNS} FROM commits WHERE ");
    if kinds == 0 {
        sql += "position > ";
        sql += START;
    } else {
        sql += "position IN (";
        for number in 0..kinds {
            let union = if number == 0 { "" } else { " UNION ALL " };
            let parameter = number + 3;
            write!(
                sql,
                "{union}SELECT * FROM (SELECT position FROM commits INDEXED BY commits_by_kind
                 WHERE kind = ?{parameter} AND position > {START} ORDER BY position LIMIT ?2)"
            )
            .expect("a text takes what is written to it");
        }
        sql += ")";
    }
    sql += " ORDER BY position LIMIT ?2";
    sql
}
