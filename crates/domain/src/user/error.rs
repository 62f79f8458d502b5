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
    /// Offered too long ago, replaced by a later offer, or enabled already.
    #[error("no second factor is waiting to be confirmed; ask for one anew")]
    NoTotpOffered,
    /// There is one.
    #[error("the user has a second factor already; disable it first")]
    TotpEnabled,
    /// There is none.
    #[error("the user has no second factor")]
    TotpDisabled,
    /// Used before, or never given.
    #[error("the recovery code is not valid any more")]
    InvalidRecoveryCode,
    /// 100.
    #[error("a user belongs to 100 accounts at most; leave one first")]
    TooManyAccounts,
    /// Asked for a minute ago.
    #[error("mails of this kind are sent once a minute; wait")]
    TooSoon,
}
