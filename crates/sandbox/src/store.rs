//! The SQLite file: opening, the schema's version, and short forms for queries.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, Row};

use crate::error::OpenError;

const SCHEMA_VERSION: i64 = 5;
/// What a file of the version before lacks.
const FROM_VERSION_4: &str = "ALTER TABLE inbox ADD COLUMN content TEXT; ALTER TABLE inbox ADD COLUMN message BLOB; PRAGMA user_version = 5;";
/// "WXSB": tells a sandbox's file from any other SQLite file.
const APPLICATION_ID: i64 = 0x5758_5342;
const STATEMENTS: usize = 256;

/// Opens `sandbox.db` in the folder, or a database in memory. Takes the file for this process alone.
pub(crate) fn open(folder: Option<&Path>) -> Result<Connection, OpenError> {
    let db = match folder {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(OpenError::Folder)?;
            Connection::open(folder.join("sandbox.db"))?
        },
        None => Connection::open_in_memory()?,
    };
    prepare(&db).map_err(|error| match error {
        OpenError::Database(cause) => match cause.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::InUse,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                OpenError::Corrupt(cause.to_string())
            },
            _ => OpenError::Database(cause),
        },
        other => other,
    })?;
    Ok(db)
}

fn prepare(db: &Connection) -> Result<(), OpenError> {
    db.busy_timeout(Duration::from_secs(2))?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // Otherwise SQLite looks at the value of `LIMIT ?` for its plan, and compiles the statement anew at each use.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Exclusive: a second process must not write beside us, and reads need no shared memory.
    // NORMAL: survives a killed process; a power cut may take the last commits.
    db.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536; BEGIN IMMEDIATE;")?;
    let pragma = |name: &str| db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let (version, application) = (pragma("user_version")?, pragma("application_id")?);
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 && version == 0 {
        db.execute_batch(include_str!("schema.sql"))?;
        db.execute_batch(&format!(
            "PRAGMA user_version = {SCHEMA_VERSION}; PRAGMA application_id = {APPLICATION_ID};"
        ))?;
    } else if application != APPLICATION_ID {
        return Err(OpenError::Corrupt("it belongs to another program".to_owned()));
    } else if version == 4 {
        db.execute_batch(FROM_VERSION_4)?;
    } else if version != SCHEMA_VERSION {
        return Err(OpenError::Schema { found: version, expected: SCHEMA_VERSION });
    }
    let check: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if check != "ok" {
        return Err(OpenError::Corrupt(check));
    }
    db.execute("UPDATE network SET epoch = epoch + 1", [])?;
    db.execute_batch("COMMIT")?;
    Ok(())
}

/// Short forms over cached statements.
pub(crate) trait Query {
    /// Runs a statement, gives the number of rows that it changed.
    fn run(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize>;
    /// The first row, if any.
    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>>;
    /// All rows.
    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>>;
    /// The one number that the query gives, 0 when it is null.
    fn number(&self, sql: &str, params: impl Params) -> rusqlite::Result<i64>;
}

impl Query for Connection {
    fn run(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.prepare_cached(sql)?.execute(params)
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.prepare_cached(sql)?.query_row(params, read).optional()
    }

    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.prepare_cached(sql)?.query_map(params, read)?.collect()
    }

    fn number(&self, sql: &str, params: impl Params) -> rusqlite::Result<i64> {
        Ok(self.prepare_cached(sql)?.query_row(params, |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0))
    }
}
