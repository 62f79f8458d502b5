//! A person who logs in. Users are global: their streams belong to the system account.

mod command;
mod error;
mod event;

pub use command::UserCommand;
pub use error::UserError;
pub use event::{PasswordChanged, UserEvent, UserRegistered};
use serde::{Deserialize, Serialize};

/// State of one user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct User {
    exists: bool,
}

impl User {
    /// Which events follow from the command.
    pub fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, UserError> {
        match (self.exists, command) {
            (false, UserCommand::Register { email, name, password_hash, at }) => match is_address(&email) {
                true => Ok(vec![UserRegistered { email, name, password_hash, at }.into()]),
                false => Err(UserError::InvalidEmail),
            },
            (true, UserCommand::Register { .. }) => Err(UserError::AlreadyExists),
            (true, UserCommand::ChangePassword { password_hash, at }) => {
                Ok(vec![PasswordChanged { password_hash, at }.into()])
            },
            (false, UserCommand::ChangePassword { .. }) => Err(UserError::NotFound),
        }
    }

    fn apply_event(&mut self, event: UserEvent) {
        self.exists |= matches!(event, UserEvent::Registered(_));
    }
}

/// Only what would break elsewhere: that mail arrives is proven by mail.
fn is_address(email: &str) -> bool {
    let parts = email.split_once('@');
    email.len() <= 254
        && !email.chars().any(|char| char.is_whitespace() || char.is_control())
        && parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
}

aggregate!(User, "user", UserCommand, UserEvent, UserError);

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;
    use crate::Secret;

    fn register(email: &str) -> UserCommand {
        UserCommand::Register {
            email: email.into(),
            name: None,
            password_hash: Secret("$argon2id$".into()),
            at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn registered() -> UserEvent {
        UserRegistered {
            email: "ada@example.com".into(),
            name: None,
            password_hash: Secret("$argon2id$".into()),
            at: jiff::Timestamp::UNIX_EPOCH,
        }
        .into()
    }

    fn change() -> UserCommand {
        UserCommand::ChangePassword { password_hash: Secret("new".into()), at: jiff::Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn a_user_registers_once_with_an_address() {
        let given = |events| TestFramework::<User>::with(()).given(events);
        given(vec![]).when(register("ada@example.com")).then_expect_events(vec![registered()]);
        given(vec![registered()])
            .when(register("ada@example.com"))
            .then_expect_error(UserError::AlreadyExists);
        for email in ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c"] {
            given(vec![]).when(register(email)).then_expect_error(UserError::InvalidEmail);
        }
    }

    #[test]
    fn only_a_registered_user_changes_the_password() {
        let given = |events| TestFramework::<User>::with(()).given(events);
        given(vec![]).when(change()).then_expect_error(UserError::NotFound);
        let changed =
            PasswordChanged { password_hash: Secret("new".into()), at: jiff::Timestamp::UNIX_EPOCH };
        given(vec![registered()]).when(change()).then_expect_events(vec![changed.into()]);
    }
}
