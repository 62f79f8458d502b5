use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom},
    path::Path,
    time::Duration,
};

use rusqlite::Connection;

use crate::schema::BUSY_TIMEOUT;

/// SQLite empties its write-ahead log by itself only in a moment without any read. Where reads overlap all the time,
/// that moment never comes; past this size the writer makes one.
const LIMIT_BYTES: u64 = 128 << 20;
/// How long writes may wait for running reads then.
const PATIENCE: Duration = Duration::from_millis(200);

/// Keeps the write-ahead log from growing without end.
pub(crate) struct Log {
    file: File,
    limit_bytes: u64,
}

impl Log {
    /// The log of the database at `path`, which has been written to: the file is there until its last connection closes.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Ok(Self { file: File::open(log)?, limit_bytes: LIMIT_BYTES })
    }

    /// Moves the log into the database when it is too long.
    pub(crate) fn bound(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        // Not its metadata: where somebody has looked at a file's times, Linux gives the next write a new one, and every
        // sync then has to write the inode as well.
        let size_bytes = self.file.seek(SeekFrom::End(0)).unwrap_or(0);
        if size_bytes <= self.limit_bytes {
            return Ok(());
        }
        // If a long read is in the way, the next try is as much later again.
        self.limit_bytes = size_bytes + LIMIT_BYTES;
        connection.busy_timeout(PATIENCE)?;
        let emptied = empty(connection);
        connection.busy_timeout(BUSY_TIMEOUT)?;
        if emptied? {
            self.limit_bytes = LIMIT_BYTES;
        }
        Ok(())
    }
}

/// Moves everything from the log into the database. False when a read was in the way for as long as one may wait.
pub(crate) fn empty(connection: &Connection) -> rusqlite::Result<bool> {
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}
