/// Why a command on an account was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The id is taken.
    #[error("an account with this id already exists")]
    AlreadyExists,
    /// There is no such account.
    #[error("there is no such account")]
    NotFound,
    /// Empty or too long.
    #[error("an account's name has 1 to 100 characters")]
    InvalidName,
    /// Not an e-mail address.
    #[error("expected an e-mail address")]
    InvalidEmail,
    /// Whoever asks may do less than the role.
    #[error("the caller cannot decide about this role, which may do more than the caller")]
    RoleTooHigh,
    /// Nobody could look after the account any more.
    #[error("an account keeps at least one owner; make somebody else an owner first")]
    LastOwner,
    /// No member.
    #[error("there is no such member")]
    NoSuchMember,
    /// A member already.
    #[error("the user is a member of the account already")]
    AlreadyMember,
    /// 100.
    #[error("the account has the most members it can have")]
    TooManyMembers,
    /// Never made, accepted, revoked, or its time is over.
    #[error("there is no such invitation, or it is not open any more")]
    NoSuchInvitation,
    /// An invitation to the address is open.
    #[error("the address is invited already; revoke that invitation first")]
    AlreadyInvited,
    /// It is switched for the whole deployment only.
    #[error("this is switched for the whole deployment, not for one account")]
    NotOfAccounts,
    /// 100 are open.
    #[error("the account has the most open invitations it can have")]
    TooManyInvitations,
}
