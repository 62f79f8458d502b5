use jiff::Timestamp;

use crate::UserId;

/// What can be asked of an account.
#[derive(Debug, Clone, PartialEq)]
pub enum AccountCommand {
    /// Make it.
    Create {
        /// 1 to 100 characters.
        name: String,
        /// Who owns it.
        owner: UserId,
        /// When.
        at: Timestamp,
    },
}
