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
}
