//! SQLite's errors as the five that callers of a port know.

use rusqlite::ErrorCode;
use waxwing_app::ports::PortError;

/// Why an operation on the database ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Said before anything was written, so that the rest of the group goes on.
    Refused(PortError),
    /// The database failed, perhaps midway: what the group wrote has to be undone.
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Stop> for PortError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(error) => error,
            Stop::Failed(error) => port_error(&error),
        }
    }
}

/// True when the file itself is damaged or is no database.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// The port's error for what SQLite said.
pub(crate) fn port_error(error: &rusqlite::Error) -> PortError {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => {
            return PortError::Corrupt(format!("a stored row cannot be read: {error}"));
        },
        _ => {},
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => PortError::Unavailable(format!("disk full: {error}")),
        Some(ErrorCode::SystemIoFailure) => PortError::Unavailable(format!("the disk failed: {error}")),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            PortError::Corrupt(format!("the database is damaged, put a backup in its place: {error}"))
        },
        Some(ErrorCode::TooBig) => PortError::Corrupt(format!("too large to be stored: {error}")),
        _ => PortError::Unavailable(format!("the database refused: {error}")),
    }
}

/// A caller broke a limit of the port. No variant says so; of the five this is the one that nobody tries again.
pub(crate) fn over_limit(what: &str, limit: usize) -> PortError {
    PortError::Corrupt(format!("refused: more than {limit} {what}"))
}
