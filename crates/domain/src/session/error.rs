/// Why a command on a session was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The id is taken.
    #[error("a session with this id already exists")]
    AlreadyExists,
    /// There is no such session, or no longer.
    #[error("there is no such session")]
    NotFound,
    /// Empty, too long, or with white space at an end.
    #[error("a session's name has 1 to 100 characters and no white space at its ends")]
    InvalidName,
    /// Empty or too long.
    #[error("expected 1 to 50 characters")]
    InvalidDeviceName,
    /// A password that only stands for one.
    #[error("the password is hidden; give the proxy with its password, or leave the field out")]
    HiddenProxyPassword,
}
