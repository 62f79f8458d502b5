/// Why a command on an account was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The id is taken.
    #[error("an account with this id already exists")]
    AlreadyExists,
    /// Empty or too long.
    #[error("an account's name has 1 to 100 characters")]
    InvalidName,
}
