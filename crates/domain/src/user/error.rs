/// Why a command on a user was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// The id is taken.
    #[error("a user with this id already exists")]
    AlreadyExists,
    /// There is no such user.
    #[error("there is no such user")]
    NotFound,
    /// Not an e-mail address.
    #[error("expected an e-mail address")]
    InvalidEmail,
    /// Empty or too long.
    #[error("a name has 1 to 100 characters")]
    InvalidName,
    /// Used before, replaced by a later one, or its time is over.
    #[error("the token is not valid any more")]
    InvalidToken,
}
