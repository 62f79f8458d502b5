//! Make an account with its owner.

use waxwing_domain::{
    AccountId, Secret, UserId,
    account::{Account, AccountCommand, AccountError, Role},
    user::{Proof, User, UserCommand, UserError},
};

use super::Commands;
use crate::{
    execute::{Cause, ExecuteError, Execution, unexpected_claim},
    keys,
    passwords::{self, PasswordError},
    ports::{Claim, PortError},
};

/// An account to make.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Its ids, drawn with [`Commands::draw_account`]: who has to keep them before they are committed can.
    pub ids: CreatedAccount,
    /// Its name.
    pub name: String,
    /// The owner's address, unique in the installation.
    pub email: String,
    /// The owner's password.
    pub password: Secret,
}

/// The account that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreatedAccount {
    /// The account.
    pub account: AccountId,
    /// Its owner.
    pub owner: UserId,
}

/// Why an account was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateAccountError {
    /// The address belongs to a user.
    #[error("a user with this e-mail address already exists")]
    EmailTaken,
    /// Too short, too long, or too easily guessed.
    #[error(transparent)]
    InvalidPassword(#[from] PasswordError),
    /// Not a hash that can be checked.
    #[error("expected a hash of argon2 in the PHC format, or of bcrypt with a cost of at most 14")]
    UnknownHash,
    /// See [`UserError`].
    #[error(transparent)]
    User(#[from] UserError),
    /// See [`AccountError`].
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Why a command on a user led to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum UserCommandError {
    /// See [`UserError`].
    #[error(transparent)]
    User(#[from] UserError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<UserCommandError> for CreateAccountError {
    fn from(error: UserCommandError) -> Self {
        match error {
            UserCommandError::User(refusal) => Self::User(refusal),
            UserCommandError::Port(error) => Self::Port(error),
        }
    }
}

impl Commands {
    /// Ids for an account and its owner.
    pub fn draw_account(&self) -> CreatedAccount {
        let owner = UserId::from_parts(self.ids.parts());
        CreatedAccount { account: AccountId::from_parts(self.ids.parts()), owner }
    }

    /// Sets another password.
    pub async fn change_password(
        &self,
        owner: UserId,
        password: &Secret,
        cause: &Cause,
    ) -> Result<(), CreateAccountError> {
        let password_hash = self.password_hash(password, &[]).await?;
        let command = UserCommand::ChangePassword { password_hash, at: self.ports.clock.now() };
        Ok(self.user_command(owner, command, cause).await?)
    }

    /// Sets the password that has this hash, of argon2 or bcrypt: for users that come from elsewhere.
    pub async fn import_password(
        &self,
        owner: UserId,
        password_hash: Secret,
        cause: &Cause,
    ) -> Result<(), CreateAccountError> {
        if !passwords::is_known_hash(&password_hash) {
            return Err(CreateAccountError::UnknownHash);
        }
        let command = UserCommand::ChangePassword { password_hash, at: self.ports.clock.now() };
        Ok(self.user_command(owner, command, cause).await?)
    }

    /// Runs a command on a user.
    pub(super) async fn user_command(
        &self,
        user: UserId,
        command: UserCommand,
        cause: &Cause,
    ) -> Result<(), UserCommandError> {
        let (account, id) = (AccountId::SYSTEM, user.to_string());
        let execution =
            Execution::<User> { account, id: &id, command, fresh: false, claims: Vec::new(), cause };
        self.ports.execute(execution).await.map(drop).map_err(|error| match error {
            ExecuteError::Refused(refusal) => UserCommandError::User(refusal),
            ExecuteError::ClaimTaken(..) => unexpected_claim().into(),
            ExecuteError::Port(error) => error.into(),
        })
    }

    /// Makes the account of an owner who is there already; one that exists is fine.
    pub async fn finish_account(
        &self,
        ids: CreatedAccount,
        name: &str,
        cause: &Cause,
    ) -> Result<(), CreateAccountError> {
        let CreatedAccount { account, owner } = ids;
        let (id, at) = (account.to_string(), self.ports.clock.now());
        let command = AccountCommand::Create { name: name.to_owned(), owner, at };
        let create =
            Execution::<Account> { account, id: &id, command, fresh: true, claims: Vec::new(), cause };
        match self.ports.execute(create).await {
            Ok(_) | Err(ExecuteError::Refused(AccountError::AlreadyExists)) => Ok(()),
            Err(ExecuteError::Refused(refusal)) => Err(CreateAccountError::Account(refusal)),
            Err(ExecuteError::ClaimTaken(..)) => Err(unexpected_claim().into()),
            Err(ExecuteError::Port(error)) => Err(error.into()),
        }
    }

    /// The hash of a password that may be set for a user of whom others know this.
    pub(super) async fn password_hash(
        &self,
        password: &Secret,
        known: &[&str],
    ) -> Result<Secret, CreateAccountError> {
        passwords::check(password, known).await??;
        Ok(passwords::hash(&*self.entropy, password).await?)
    }

    /// Makes a user and the account that the user owns. When it stops between the two, the address is taken and a
    /// second call says so.
    pub async fn create_account(
        &self,
        new: NewAccount,
        cause: &Cause,
    ) -> Result<CreatedAccount, CreateAccountError> {
        let (ids, account_name) = (new.ids, new.name.clone());
        self.create_user(new, None, None, cause).await?;
        self.finish_account(ids, &account_name, cause).await?;
        Ok(ids)
    }

    /// Makes a user who is to own an account. With `verification` the address has to be proven before the first sign-in.
    pub(super) async fn create_user(
        &self,
        new: NewAccount,
        name: Option<String>,
        verification: Option<Proof>,
        cause: &Cause,
    ) -> Result<(), CreateAccountError> {
        let NewAccount { ids, email, password, .. } = new;
        let password_hash =
            self.password_hash(&password, &[&email, name.as_deref().unwrap_or_default()]).await?;
        let CreatedAccount { account, owner } = ids;
        let (to, role, at) = (email.clone(), Role::Owner, self.ports.clock.now());
        let command = UserCommand::Register { email, name, password_hash, account, role, verification, at };
        self.register_user(owner, &to, command, cause).await
    }

    /// Runs the command that makes a user, together with the claim on the address.
    pub(super) async fn register_user(
        &self,
        user: UserId,
        email: &str,
        command: UserCommand,
        cause: &Cause,
    ) -> Result<(), CreateAccountError> {
        let key = keys::email_claim(&*self.ports.secrets, email);
        let value = user.to_string();
        let register = Execution::<User> {
            account: AccountId::SYSTEM,
            id: &value,
            command,
            fresh: true,
            claims: vec![Claim::Take { key, value: value.clone().into_bytes(), expires_at: None }],
            cause,
        };
        self.ports.execute(register).await.map(drop).map_err(|error| match error {
            ExecuteError::Refused(refusal) => CreateAccountError::User(refusal),
            ExecuteError::ClaimTaken(..) => CreateAccountError::EmailTaken,
            ExecuteError::Port(error) => error.into(),
        })
    }
}
