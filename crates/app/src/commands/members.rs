//! Who belongs to an account, as what, and what the account is called. Invitations are in `invitations`.

use waxwing_domain::{
    AccountId, UserId,
    account::{Account, AccountCommand, AccountError, Role},
    user::UserCommand,
};

use super::{Commands, create_account::UserCommandError};
use crate::{
    execute::{Cause, ExecuteError, Execution, unexpected_claim},
    ports::PortError,
};

/// Why a command on an account led to nothing.
#[derive(Debug, thiserror::Error)]
pub enum AccountCommandError {
    /// See [`AccountError`].
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Commands {
    /// Runs a command on an account.
    pub(super) async fn account_command(
        &self,
        account: AccountId,
        command: AccountCommand,
        cause: &Cause,
    ) -> Result<(), AccountCommandError> {
        let id = account.to_string();
        let execution =
            Execution::<Account> { account, id: &id, command, fresh: false, claims: Vec::new(), cause };
        self.ports.execute(execution).await.map(drop).map_err(|error| match error {
            ExecuteError::Refused(refusal) => refusal.into(),
            ExecuteError::ClaimTaken(..) => unexpected_claim().into(),
            ExecuteError::Port(error) => error.into(),
        })
    }

    /// Gives the account another name.
    pub async fn rename_account(
        &self,
        account: AccountId,
        name: String,
        cause: &Cause,
    ) -> Result<(), AccountCommandError> {
        self.account_command(account, AccountCommand::Rename { name, at: self.ports.clock.now() }, cause)
            .await
    }

    /// Makes a member something else, which counts at once. `authority` is that of the caller.
    pub async fn change_role(
        &self,
        account: AccountId,
        (user, role): (UserId, Role),
        authority: Option<Role>,
        cause: &Cause,
    ) -> Result<(), AccountCommandError> {
        let command = AccountCommand::ChangeRole { user, role, authority, at: self.ports.clock.now() };
        self.account_command(account, command, cause).await
    }

    /// Removes a member, whose sign-ins to the account are dead when this returns. `authority` is that of the caller. API
    /// keys that the member made belong to the account and stay.
    pub async fn remove_member(
        &self,
        account: AccountId,
        user: UserId,
        authority: Option<Role>,
        cause: &Cause,
    ) -> Result<(), AccountCommandError> {
        let command = AccountCommand::RemoveMember { user, authority, at: self.ports.clock.now() };
        self.account_command(account, command, cause).await?;
        self.forget_account(user, account, cause).await;
        Ok(())
    }

    /// The same by the member, who may always go, except as the last owner.
    pub async fn leave_account(
        &self,
        account: AccountId,
        user: UserId,
        cause: &Cause,
    ) -> Result<(), AccountCommandError> {
        let command = AccountCommand::Leave { user, at: self.ports.clock.now() };
        self.account_command(account, command, cause).await?;
        self.forget_account(user, account, cause).await;
        Ok(())
    }

    /// Takes the account from the user's list. That is a hint only, so a failure does no harm.
    pub(super) async fn forget_account(&self, user: UserId, account: AccountId, cause: &Cause) {
        let command = UserCommand::LeaveAccount { account, at: self.ports.clock.now() };
        if let Err(UserCommandError::Port(error)) = self.user_command(user, command, cause).await {
            tracing::warn!(%error, %user, %account, "a user still lists an account that was left");
        }
    }
}
