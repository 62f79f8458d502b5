//! The database file: whether it is ours, and what is in it.

use std::{
    fs::{self, File, OpenOptions},
    io::Read as _,
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::{failure::is_damage, open_error::OpenError};

/// The database in a data folder.
pub(crate) const FILE_NAME: &str = "waxwing.db";
/// `WAXW`: what tells this program's files from those of others.
const APPLICATION_ID: i64 = 0x5741_5857;
/// Number of entries in [`MIGRATIONS`]: stored as `user_version`.
const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;
/// Files up to this size are checked whole at every start; it takes a fraction of a second.
const CHECKED_WHOLE_BYTES: u64 = 64 << 20;
/// How long a statement waits for another program that has locked the file.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest statement cache that is ever filled: all the engine's statements.
const CACHED_STATEMENTS: usize = 96;
const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Each brings the schema one version further and is never changed again.
const MIGRATIONS: &[&str] =
    &[include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];

/// Opens the database at `path` for writing, made on first use, at the newest schema.
pub(crate) fn open_writable(path: &Path, max_page_count: Option<u32>) -> Result<Connection, OpenError> {
    let fresh = prepare_file(path)?;
    let told = |error: rusqlite::Error| refusal(path, &error);
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(told)?;
    if !fresh {
        check_ours(&connection, path)?;
        check_whole(&connection, path)?;
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(told)?;
    if mode != "wal" {
        let detail =
            format!("this file system does not support SQLite's write-ahead log (journal mode is {mode})");
        return Err(OpenError::Database { path: path.to_path_buf(), detail });
    }
    connection
        .execute_batch(
            // FAST overwrites what is deleted wherever that costs no extra write: destroyed keys should not linger.
            // 16 MiB of log between checkpoints: 256 writers fill the default of 4 MiB in a few syncs, and a checkpoint
            // costs some more.
            "PRAGMA synchronous = FULL; PRAGMA secure_delete = FAST; PRAGMA cache_size = -32768;
             PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4096;",
        )
        .map_err(told)?;
    migrate(&mut connection).map_err(told)?;
    if let Some(pages) = max_page_count {
        set_max_page_count(&connection, pages).map_err(told)?;
    }
    Ok(connection)
}

/// Opens the database for reading only.
pub(crate) fn open_readable(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -8192;")?;
    Ok(connection)
}

/// Limits the size of the file.
pub(crate) fn set_max_page_count(connection: &Connection, pages: u32) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // A connection is used by one thread at a time, which Rust already sees to.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Otherwise SQLite looks at the value of `LIMIT ?` for its plan, and compiles the statement anew at each use.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// Makes an empty file for its owner only, or looks whether a file is a database at all. True when it is empty.
fn prepare_file(path: &Path) -> Result<bool, OpenError> {
    let failed = |attempt, source| OpenError::Io { path: path.to_path_buf(), attempt, source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(path).map_err(|error| failed("open", error))?;
    let mut header = Vec::with_capacity(HEADER.len());
    let read = file.by_ref().take(HEADER.len() as u64).read_to_end(&mut header);
    read.map_err(|error| failed("read", error))?;
    if !header.is_empty() && header != HEADER {
        let detail = "it does not start as an SQLite database does".to_owned();
        return Err(OpenError::Corrupt { path: path.to_path_buf(), detail });
    }
    Ok(header.is_empty())
}

fn check_ours(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let told = |error: rusqlite::Error| refusal(path, &error);
    let number =
        |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(told);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(told)?;
    let application = number("application_id")?;
    // A start that was killed between making the file and filling it leaves a database without tables.
    if application != APPLICATION_ID && (tables > 0 || application != 0) {
        return Err(OpenError::Foreign { path: path.to_path_buf() });
    }
    let found = number("user_version")?;
    if found > SCHEMA_VERSION {
        return Err(OpenError::Newer { path: path.to_path_buf(), found, supported: SCHEMA_VERSION });
    }
    Ok(())
}

fn check_whole(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let size_bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
    if size_bytes > CHECKED_WHOLE_BYTES {
        return Ok(());
    }
    let found: rusqlite::Result<String> = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match found {
        Ok(answer) if answer == "ok" => Ok(()),
        Ok(detail) => Err(OpenError::Corrupt { path: path.to_path_buf(), detail }),
        Err(error) => Err(refusal(path, &error)),
    }
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let transaction = connection.transaction()?;
    for script in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(script)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// What an error at opening means for the one who started the program.
pub(crate) fn refusal(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.to_path_buf();
    let detail = error.to_string();
    if is_damage(error) { OpenError::Corrupt { path, detail } } else { OpenError::Database { path, detail } }
}
