//! Suspend and delete accounts, and users with the accounts that nobody else is in.

use waxwing_domain::{
    AccountId, Secret, UserId,
    account::{Account, AccountCommand, AccountError, Role},
    user::{User, UserCommand},
};

use super::{AccountCommandError, Commands, ProfileError, SessionWish, SessionWishError};
use crate::{
    execute::{Cause, ExecuteError, Execution, unexpected_claim},
    keys,
    ports::{Claim, PortError},
    queries,
};

/// Why an account or a user goes on.
#[derive(Debug, thiserror::Error)]
pub enum EndAccountError {
    /// The first account looks after the installation.
    #[error("the operator's account can neither be suspended nor deleted")]
    Operators,
    /// See [`AccountError`].
    #[error(transparent)]
    Account(#[from] AccountError),
    /// See [`ProfileError`].
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<AccountCommandError> for EndAccountError {
    fn from(error: AccountCommandError) -> Self {
        match error {
            AccountCommandError::Account(error) => Self::Account(error),
            AccountCommandError::Port(error) => Self::Port(error),
        }
    }
}

impl Commands {
    /// Lets nobody of the account in, and stops its sessions; or lets them in again, who then start their sessions.
    pub async fn suspend_account(
        &self,
        account: AccountId,
        suspended: bool,
        cause: &Cause,
    ) -> Result<(), EndAccountError> {
        self.not_the_operators(account).await?;
        let at = self.ports.clock.now();
        let command = if suspended { AccountCommand::Suspend { at } } else { AccountCommand::Restore { at } };
        self.account_command(account, command, cause).await?;
        if suspended {
            self.wish_all_sessions(account, &SessionWish::Stop, cause).await?;
        }
        Ok(())
    }

    /// Deletes an account for an owner who has shown the password once more, and a code where there is a second factor. Its
    /// credentials are dead when this returns; sessions, rows and keys follow from the commit.
    pub async fn delete_account(
        &self,
        account: AccountId,
        owner: UserId,
        (password, code): (&Secret, Option<&Secret>),
        cause: &Cause,
    ) -> Result<(), EndAccountError> {
        self.knowing_all(owner, password, code, cause).await?;
        match queries::account(&self.ports, account).await?.role_of(owner) {
            Some(Role::Owner) => {},
            _ => return Err(AccountError::RoleTooHigh.into()),
        }
        self.not_the_operators(account).await?;
        self.end_account(account, cause).await
    }

    /// Deletes a user who has shown the password once more, and a code where there is a second factor; and the accounts that
    /// nobody else is in. The address is free again, all sign-ins end, and what is known of the user is made unreadable.
    pub async fn delete_user(
        &self,
        id: UserId,
        (password, code): (&Secret, Option<&Secret>),
        cause: &Cause,
    ) -> Result<(), EndAccountError> {
        let user = self.knowing_all(id, password, code, cause).await?;
        let accounts: Vec<AccountId> = user.joined().iter().map(|joined| joined.account).collect();
        // Whether others would be without an owner is seen before anything is done.
        for account in &accounts {
            let state = queries::account(&self.ports, *account).await?;
            match (state.role_of(id), state.members().len()) {
                (None, _) => {},
                (_, 1) => self.not_the_operators(*account).await?,
                _ => drop(state.decide(AccountCommand::Leave { user: id, at: self.ports.clock.now() })?),
            }
        }
        self.end_user(id, &user, cause).await?;
        for account in accounts {
            if let Err(error) = self.leave_or_end(account, id, cause).await {
                // It follows from the commit, too: see `Erasing`.
                tracing::warn!(%error, %account, "an account is left a little later");
            }
        }
        Ok(())
    }

    /// Nobody is in the account any more and it ends, or one member less. Again it changes nothing.
    pub(crate) async fn leave_or_end(
        &self,
        account: AccountId,
        user: UserId,
        cause: &Cause,
    ) -> Result<(), EndAccountError> {
        let state = queries::account(&self.ports, account).await?;
        match (state.role_of(user), state.members().len()) {
            (None, _) => Ok(()),
            _ if state.is_deleted() => Ok(()),
            (_, 1) => self.end_account(account, cause).await,
            _ => Ok(self.leave_account(account, user, cause).await?),
        }
    }

    async fn end_account(&self, account: AccountId, cause: &Cause) -> Result<(), EndAccountError> {
        let before: Account = queries::account(&self.ports, account).await?;
        let command = AccountCommand::Delete { at: self.ports.clock.now() };
        self.account_command(account, command, cause).await?;
        for user in before.members().keys() {
            self.forget_account(*user, account, cause).await;
        }
        Ok(())
    }

    async fn end_user(&self, id: UserId, user: &User, cause: &Cause) -> Result<(), EndAccountError> {
        let email = user.registered().map_or("", |registered| &registered.email);
        let claims = vec![Claim::Release { key: keys::email_claim(&*self.ports.secrets, email) }];
        let (text, command) = (id.to_string(), UserCommand::Delete { at: self.ports.clock.now() });
        let account = AccountId::SYSTEM;
        let execution = Execution::<User> { account, id: &text, command, fresh: false, claims, cause };
        match self.ports.execute(execution).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Refused(refusal)) => Err(ProfileError::from(refusal).into()),
            Err(ExecuteError::ClaimTaken(..)) => Err(unexpected_claim().into()),
            Err(ExecuteError::Port(error)) => Err(error.into()),
        }
    }

    async fn not_the_operators(&self, account: AccountId) -> Result<(), EndAccountError> {
        match queries::is_operator(&*self.records, account).await? {
            true => Err(EndAccountError::Operators),
            false => Ok(()),
        }
    }

    /// Has the same become of all sessions of the account.
    pub(crate) async fn wish_all_sessions(
        &self,
        account: AccountId,
        wish: &SessionWish,
        cause: &Cause,
    ) -> Result<(), PortError> {
        for session in queries::all_sessions(&*self.records, account).await? {
            match self.wish_session(account, session.id, wish.clone(), cause).await {
                // Gone by now, or what was wished has become of it already.
                Ok(_) | Err(SessionWishError::Session(_)) => {},
                Err(SessionWishError::Port(error)) => return Err(error),
            }
        }
        Ok(())
    }
}
