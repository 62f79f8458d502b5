/// Why a command on a key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// The id is taken.
    #[error("a key with this id already exists")]
    AlreadyExists,
    /// There is no such key.
    #[error("there is no such key")]
    NotFound,
    /// Empty or too long.
    #[error("a key's name has 1 to 100 characters")]
    InvalidName,
    /// None or too many.
    #[error("a key has 1 to 64 scopes")]
    InvalidScopes,
    /// One that does not exist.
    #[error("expected scopes such as messages:send, sessions:read or *")]
    UnknownScope,
    /// Too many.
    #[error("a key names up to 1,000 sessions")]
    TooManySessions,
    /// None or too many.
    #[error("a list of addresses has 1 to 64 ranges")]
    InvalidIpAllowList,
    /// It would never work.
    #[error("expected a time in the future")]
    ExpiresInThePast,
    /// Zero or too many.
    #[error("expected 1 to 1,000,000 requests in a minute")]
    InvalidRateLimit,
}
