//! What can go wrong: while opening, in the control API, and inside the engine.

use serde::Serialize;

/// The sandbox could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or written.
    #[error("cannot use the data folder")]
    Folder(#[source] std::io::Error),
    /// Another process has the file.
    #[error("sandbox.db is in use by another process")]
    InUse,
    /// Not a database, or damaged.
    #[error("sandbox.db is damaged or not a sandbox: {0}")]
    Corrupt(String),
    /// Written by another version.
    #[error("sandbox.db has schema {found}, this build reads {expected}")]
    Schema {
        /// What the file says.
        found: i64,
        /// What this build writes.
        expected: i64,
    },
    /// Anything else that SQLite says.
    #[error("sandbox.db cannot be opened")]
    Database(#[from] rusqlite::Error),
}

/// The answer to a request that the control API cannot do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// HTTP status.
    #[serde(skip)]
    pub status: u16,
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub detail: String,
    /// The field that is wrong, as a JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), pointer: None }
    }

    pub(crate) fn field(pointer: &'static str, detail: impl Into<String>) -> Self {
        Self { status: 422, code: "validation_failed", detail: detail.into(), pointer: Some(pointer) }
    }

    /// The same refusal, said of a field.
    pub(crate) fn at(self, pointer: &'static str) -> Self {
        Self { pointer: Some(pointer), ..self }
    }

    pub(crate) fn no_phone(number: &str) -> Self {
        Self::new(404, "phone_not_found", format!("no phone +{number} in this network"))
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(503, "unavailable", "the sandbox could not store this; try again")
    }
}

/// Why the engine did not do a piece of work. Nothing of it was stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("database: {0}")]
    Database(#[from] rusqlite::Error),
    #[error("protocol: {0}")]
    Protocol(String),
    #[error("the engine has stopped")]
    Stopped,
}

impl Failure {
    pub(crate) fn protocol(what: impl std::fmt::Display) -> Self {
        Self::Protocol(what.to_string())
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal,
            Failure::Protocol(detail) => Self::new(422, "protocol_error", detail),
            Failure::Database(_) | Failure::Stopped => Self::unavailable(),
        }
    }
}
