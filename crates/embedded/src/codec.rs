//! How values look inside SQLite.

use jiff::Timestamp;
use rusqlite::types::Type;

/// SQLite's integers are signed; versions and positions stay far below the sign bit.
pub(crate) fn stored(number: u64) -> i64 {
    number.cast_signed()
}

/// The reverse of [`stored`].
pub(crate) fn loaded(number: i64) -> u64 {
    number.cast_unsigned()
}

/// A count for `LIMIT`.
pub(crate) fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970.
pub(crate) fn time_ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// The reverse of [`time_ms`], for the column with this number.
pub(crate) fn time(column: usize, ms: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|error| unreadable(column, Type::Integer, error))
}

/// Something stored that does not decode.
pub(crate) fn unreadable(
    column: usize,
    kind: Type,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
}
