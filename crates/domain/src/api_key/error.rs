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
}
