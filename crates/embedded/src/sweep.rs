use rusqlite::{Connection, params};

use crate::{codec::time_ms, records};

/// Rows of each kind that one sweep removes at most: a few milliseconds of the writer's time.
const CHUNK: usize = 500;
const PAUSE_MS: i64 = 10_000;

/// Removes what has expired, a chunk at a time. Expired rows count as gone anyway; this only gives their space back, so it
/// runs after writes and needs no timer: where nothing is written, nothing grows.
#[derive(Debug)]
pub(crate) struct Sweep {
    next_ms: i64,
}

impl Default for Sweep {
    fn default() -> Self {
        Self { next_ms: time_ms(jiff::Timestamp::MIN) }
    }
}

impl Sweep {
    pub(crate) fn is_due(&self, now_ms: i64) -> bool {
        now_ms >= self.next_ms
    }

    /// Removes one chunk. A full one means that there is more, and the next write sweeps on.
    pub(crate) fn run(&mut self, connection: &mut Connection, now_ms: i64) -> rusqlite::Result<()> {
        self.next_ms = now_ms + PAUSE_MS;
        let transaction = connection.transaction()?;
        let claims = transaction
            .prepare_cached(
                "DELETE FROM claims WHERE key IN (SELECT key FROM claims WHERE expires_at_ms < ?1 ORDER BY expires_at_ms LIMIT ?2)",
            )?
            .execute(params![now_ms, CHUNK as i64])?;
        let rows = records::remove_expired(&transaction, now_ms, CHUNK)?;
        transaction.commit()?;
        if claims == CHUNK || rows == CHUNK {
            self.next_ms = now_ms;
        }
        Ok(())
    }
}
