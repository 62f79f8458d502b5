//! A tenant.

mod command;
mod error;
mod event;

pub use command::AccountCommand;
pub use error::AccountError;
pub use event::{AccountCreated, AccountEvent};
use serde::{Deserialize, Serialize};

/// Longest name of an account, in characters.
pub const NAME_CHARS_MAX: usize = 100;

/// State of one account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    created: Option<AccountCreated>,
}

impl Account {
    /// Its name, its owner, when it was made; `None` for one that does not exist.
    pub fn created(&self) -> Option<&AccountCreated> {
        self.created.as_ref()
    }

    /// Which events follow from the command.
    pub fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, AccountError> {
        let AccountCommand::Create { name, owner, at } = command;
        let count = name.trim().chars().count();
        match (self.created.is_some(), (1..=NAME_CHARS_MAX).contains(&count)) {
            (true, _) => Err(AccountError::AlreadyExists),
            (false, false) => Err(AccountError::InvalidName),
            (false, true) => Ok(vec![AccountCreated { name, owner, at }.into()]),
        }
    }

    fn apply_event(&mut self, event: AccountEvent) {
        let AccountEvent::Created(created) = event;
        self.created = Some(created);
    }
}

aggregate!(Account, "account", AccountCommand, AccountEvent, AccountError);

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;
    use crate::UserId;

    fn create(name: &str) -> AccountCommand {
        AccountCommand::Create {
            name: name.into(),
            owner: UserId::new(1, [0; 10]),
            at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn created() -> AccountEvent {
        AccountCreated {
            name: "Shop".into(),
            owner: UserId::new(1, [0; 10]),
            at: jiff::Timestamp::UNIX_EPOCH,
        }
        .into()
    }

    #[test]
    fn an_account_is_made_once_and_has_a_name() {
        let given = |events| TestFramework::<Account>::with(()).given(events);
        given(vec![]).when(create("Shop")).then_expect_events(vec![created()]);
        given(vec![created()]).when(create("Shop")).then_expect_error(AccountError::AlreadyExists);
        given(vec![]).when(create(" ")).then_expect_error(AccountError::InvalidName);
    }
}
