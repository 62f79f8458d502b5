//! Invite people to an account by mail, and let them accept.

use waxwing_domain::{
    AccountId, InvitationId, Secret, UserId,
    account::{Account, AccountCommand, AccountError, INVITATION_TTL, Invited, Role},
    user::{User, UserCommand},
};

use super::{
    AccountCommandError, Commands, CreateAccountError, IdempotencyError, Once, Repeatable,
    create_account::UserCommandError,
};
use crate::{
    execute::{Cause, Execution, unexpected_claim},
    ports::PortError,
    tokens::{MailPurpose, account_of_mail_token, mail_token, same},
    views::InvitationView,
};

/// Whom to invite.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// The address.
    pub email: String,
    /// As what.
    pub role: Role,
}

/// What somebody says of themselves who has no user yet.
#[derive(Debug, Clone, Default)]
pub struct Newcomer {
    /// 1 to 100 characters.
    pub name: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

/// Who joined which account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// The account.
    pub account: AccountId,
    /// The user.
    pub user: UserId,
    /// As what.
    pub role: Role,
}

/// Why nobody was invited, or joined.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    /// Not one of ours, used before, revoked, or its time is over.
    #[error("the token is not valid any more; ask for another invitation")]
    InvalidToken,
    /// Nobody has the address yet, or nobody has proven it, and the name is missing.
    #[error("a name is needed: no user has the address yet")]
    NameNeeded,
    /// The same of the password.
    #[error("a password is needed: no user has the address yet")]
    PasswordNeeded,
    /// See [`AccountError`].
    #[error(transparent)]
    Account(#[from] AccountError),
    /// See [`CreateAccountError`].
    #[error(transparent)]
    User(#[from] CreateAccountError),
    /// See [`IdempotencyError`].
    #[error(transparent)]
    Idempotency(#[from] IdempotencyError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<AccountCommandError> for InvitationError {
    fn from(error: AccountCommandError) -> Self {
        match error {
            AccountCommandError::Account(refusal) => Self::Account(refusal),
            AccountCommandError::Port(error) => Self::Port(error),
        }
    }
}

impl From<UserCommandError> for InvitationError {
    fn from(error: UserCommandError) -> Self {
        Self::User(error.into())
    }
}

impl Commands {
    /// Invites whoever reads the address's mail. A mail with a token follows from the commit. `authority` is that of the
    /// caller.
    pub async fn invite(
        &self,
        account: AccountId,
        new: NewInvitation,
        authority: Option<Role>,
        repeatable: Option<Repeatable<'_, InvitationView>>,
        cause: &Cause,
    ) -> Result<Once<InvitationView>, InvitationError> {
        if let Some(answer) = self.repeated(account, repeatable.as_ref()).await? {
            return Ok(Once::Repeated(answer));
        }
        let NewInvitation { email, role } = new;
        let id = account.to_string();
        if let Some(user) = self.user_by_email(&email).await? {
            let (state, _) = self.ports.load::<Account>(account, &id).await?;
            if state.role_of(user).is_some() {
                return Err(AccountError::AlreadyMember.into());
            }
        }
        let (invitation, at) = (InvitationId::from_parts(self.ids.parts()), self.ports.clock.now());
        let proof = self.proof(INVITATION_TTL);
        let expires_at = proof.expires_at;
        let view = InvitationView { id: invitation, email: email.clone(), role, expires_at, created_at: at };
        let claims = self.claims_for(account, repeatable.as_ref(), &view, at).await?;
        let command = AccountCommand::Invite { invitation, email, role, proof, authority, at };
        let execution = Execution::<Account> { account, id: &id, command, fresh: false, claims, cause };
        let executed = self.ports.execute(execution).await;
        self.once(account, repeatable.as_ref(), executed, view, || unexpected_claim().into()).await
    }

    /// The invitation is dead when this returns. `authority` is that of the caller.
    pub async fn revoke_invitation(
        &self,
        account: AccountId,
        invitation: InvitationId,
        authority: Option<Role>,
        cause: &Cause,
    ) -> Result<(), AccountCommandError> {
        let command = AccountCommand::RevokeInvitation { invitation, authority, at: self.ports.clock.now() };
        self.account_command(account, command, cause).await
    }

    /// Whoever has the token becomes a member: the user who has the invited address, or else a new one.
    ///
    /// The user's list comes first and the account, which is the truth, last: when it stops between the two, the invitation
    /// is still open.
    pub async fn accept_invitation(
        &self,
        token: &Secret,
        newcomer: Newcomer,
        cause: &Cause,
    ) -> Result<Joined, InvitationError> {
        let account = account_of_mail_token(token).ok_or(InvitationError::InvalidToken)?;
        let (state, _) = self.ports.load::<Account>(account, &account.to_string()).await?;
        let at = self.ports.clock.now();
        let secrets = &*self.ports.secrets;
        let is_its = |invited: &&Invited| {
            same(&mail_token(secrets, MailPurpose::Invitation, account, &invited.nonce), token)
        };
        let invited = state.open_invitations(at).find(is_its).ok_or(InvitationError::InvalidToken)?;
        let (invitation, role) = (invited.invitation, invited.role);
        let user = self.invited_user(account, invited, newcomer, cause).await?;
        let command = AccountCommand::AcceptInvitation { invitation, user, at };
        match self.account_command(account, command, cause).await {
            Ok(()) => Ok(Joined { account, user, role }),
            Err(AccountCommandError::Account(AccountError::NoSuchInvitation)) => {
                self.forget_unless_member(account, user, cause).await?;
                Err(InvitationError::InvalidToken)
            },
            Err(AccountCommandError::Account(refusal)) => {
                self.forget_unless_member(account, user, cause).await?;
                Err(refusal.into())
            },
            Err(AccountCommandError::Port(error)) => Err(error.into()),
        }
    }

    async fn forget_unless_member(
        &self,
        account: AccountId,
        user: UserId,
        cause: &Cause,
    ) -> Result<(), PortError> {
        let (state, _) = self.ports.load::<Account>(account, &account.to_string()).await?;
        if state.role_of(user).is_none() {
            self.forget_account(user, account, cause).await;
        }
        Ok(())
    }

    /// The user who has the address and proves it by that, with the account on the user's list.
    async fn invited_user(
        &self,
        account: AccountId,
        invited: &Invited,
        newcomer: Newcomer,
        cause: &Cause,
    ) -> Result<UserId, InvitationError> {
        let (email, role) = (invited.email.clone(), invited.role);
        let known = self.user_by_email(&email).await?;
        let user = match known {
            Some(id) => self.ports.load::<User>(AccountId::SYSTEM, &id.to_string()).await?.0,
            None => User::default(),
        };
        if let Some(id) = known.filter(|_| user.is_verified()) {
            let command = UserCommand::JoinAccount { account, role, at: self.ports.clock.now() };
            self.user_command(id, command, cause).await?;
            return Ok(id);
        }
        let name = newcomer.name.ok_or(InvitationError::NameNeeded)?;
        let password = newcomer.password.ok_or(InvitationError::PasswordNeeded)?;
        let password_hash = self.password_hash(&password, &[&email, &name]).await?;
        let at = self.ports.clock.now();
        match known {
            // Somebody registered with the address who could not prove it, and who knows another password than this one.
            Some(id) => {
                self.user_command(id, UserCommand::ProveByInvitation { name, password_hash, at }, cause)
                    .await?;
                self.user_command(id, UserCommand::JoinAccount { account, role, at }, cause).await?;
                Ok(id)
            },
            None => {
                let (id, name) = (UserId::from_parts(self.ids.parts()), Some(name));
                let verification = None;
                let register =
                    UserCommand::Register { email, name, password_hash, account, role, verification, at };
                self.register_user(id, &invited.email, register, cause).await?;
                Ok(id)
            },
        }
    }
}
