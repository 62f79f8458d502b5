//! Make an account with its owner.

use argon2::{Argon2, PasswordHasher};
use waxwing_domain::{
    AccountId, Secret, UserId,
    account::{Account, AccountCommand, AccountError},
    user::{User, UserCommand, UserError},
};

use super::Commands;
use crate::{
    execute::{Cause, ExecuteError, Execution, unexpected_claim},
    keys,
    ports::{Claim, EntropyExt, PortError},
};

/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Most characters of a password: hashing more would only cost time.
pub const PASSWORD_CHARS_MAX: usize = 1_024;

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
    /// Too short or too long.
    #[error("a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")]
    InvalidPassword,
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
        let password_hash = self.password_hash(password).await?;
        let (id, at) = (owner.to_string(), self.ports.clock.now());
        let command = UserCommand::ChangePassword { password_hash, at };
        let account = AccountId::SYSTEM;
        let change = Execution::<User> { account, id: &id, command, fresh: false, claims: Vec::new(), cause };
        self.ports.execute(change).await.map(drop).map_err(|error| match error {
            ExecuteError::Refused(refusal) => CreateAccountError::User(refusal),
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

    async fn password_hash(&self, password: &Secret) -> Result<Secret, CreateAccountError> {
        if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&password.0.chars().count()) {
            return Err(CreateAccountError::InvalidPassword);
        }
        let salt: [u8; 16] = self.entropy.bytes();
        let password = password.0.clone();
        // Half a second of one core: not on a thread that serves others.
        let hashed = tokio::task::spawn_blocking(move || hash_password(&password, &salt)).await;
        Ok(hashed.map_err(|error| PortError::Unavailable(error.to_string()))??)
    }

    /// Makes a user and the account that the user owns. When it stops between the two, the address is taken and a
    /// second call says so.
    pub async fn create_account(
        &self,
        new: NewAccount,
        cause: &Cause,
    ) -> Result<CreatedAccount, CreateAccountError> {
        let password_hash = self.password_hash(&new.password).await?;
        let CreatedAccount { owner, .. } = new.ids;
        let at = self.ports.clock.now();
        let key = keys::email_claim(&*self.ports.secrets, &new.email);
        let value = owner.to_string();
        let register = Execution::<User> {
            account: AccountId::SYSTEM,
            id: &value,
            command: UserCommand::Register { email: new.email, name: None, password_hash, at },
            fresh: true,
            claims: vec![Claim::Take { key, value: value.clone().into_bytes(), expires_at: None }],
            cause,
        };
        self.ports.execute(register).await.map_err(|error| match error {
            ExecuteError::Refused(refusal) => CreateAccountError::User(refusal),
            ExecuteError::ClaimTaken(..) => CreateAccountError::EmailTaken,
            ExecuteError::Port(error) => error.into(),
        })?;
        self.finish_account(new.ids, &new.name, cause).await?;
        Ok(new.ids)
    }
}

/// The argon2id hash of a password, in the PHC format, with the library's recommended cost.
fn hash_password(password: &str, salt: &[u8]) -> Result<Secret, PortError> {
    Argon2::default()
        .hash_password_with_salt(password.as_bytes(), salt)
        .map(|hash| Secret(hash.to_string()))
        .map_err(|error| PortError::Unavailable(format!("the password could not be hashed: {error}")))
}
