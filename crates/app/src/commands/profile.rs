//! What users change about themselves.

use jiff::SignedDuration;
use waxwing_domain::{
    AccountId, Secret, UserId,
    user::{User, UserCommand, UserError},
};

use super::{
    Commands, CreateAccountError, MailTokenError, SignedIn, create_account::UserCommandError, register::known,
};
use crate::{
    execute::{Cause, ExecuteError, Execution},
    keys, passwords,
    ports::{Claim, PortError},
    tokens::MailPurpose,
};

/// How long both addresses have time to agree.
const EMAIL_CHANGE_TTL: SignedDuration = SignedDuration::from_hours(24);

/// Why a user could not change something.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Not the password of now.
    #[error("the password is wrong")]
    WrongPassword,
    /// Not a code of the second factor.
    #[error("the code is wrong, was used before, or its time is over")]
    WrongCode,
    /// The new password is not accepted.
    #[error(transparent)]
    NewPassword(#[from] passwords::PasswordError),
    /// See [`UserError`].
    #[error(transparent)]
    User(#[from] UserError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<UserCommandError> for ProfileError {
    fn from(error: UserCommandError) -> Self {
        match error {
            UserCommandError::User(refusal) => Self::User(refusal),
            UserCommandError::Port(error) => Self::Port(error),
        }
    }
}

impl Commands {
    /// The user, who has shown the password once more: a stolen sign-in is not enough for what lasts.
    pub(super) async fn knowing(&self, id: UserId, password: &Secret) -> Result<User, ProfileError> {
        let (user, _) = self.ports.load::<User>(AccountId::SYSTEM, &id.to_string()).await?;
        match passwords::matches(password, user.password_hash()).await? {
            true => Ok(user),
            false => Err(ProfileError::WrongPassword),
        }
    }

    /// [`Self::knowing`], and a code of the second factor where there is one.
    pub(super) async fn knowing_all(
        &self,
        id: UserId,
        password: &Secret,
        code: Option<&Secret>,
        cause: &Cause,
    ) -> Result<User, ProfileError> {
        let user = self.knowing(id, password).await?;
        if user.totp_secret().is_some() {
            let code = code.ok_or(ProfileError::WrongCode)?;
            if !self.passes_second_factor(id, &user, code, cause).await? {
                return Err(ProfileError::WrongCode);
            }
        }
        Ok(user)
    }

    /// Takes another name.
    pub async fn rename_user(&self, id: UserId, name: String, cause: &Cause) -> Result<(), ProfileError> {
        let command = UserCommand::Rename { name, at: self.ports.clock.now() };
        Ok(self.user_command(id, command, cause).await?)
    }

    /// Takes another password. All sign-ins end; the tokens are of a new one.
    pub async fn replace_password(
        &self,
        (id, account): (UserId, AccountId),
        (password, new): (&Secret, &Secret),
        cause: &Cause,
    ) -> Result<SignedIn, ProfileError> {
        let user = self.knowing(id, password).await?;
        passwords::check(new, &known(&user)).await??;
        let password_hash = passwords::hash(&*self.entropy, new).await?;
        let at = self.ports.clock.now();
        self.user_command(id, UserCommand::ChangePassword { password_hash, at }, cause).await?;
        self.start_sign_in(id, account, at).await
    }

    /// Ends all sign-ins of a user.
    pub async fn sign_out_everywhere(&self, id: UserId, cause: &Cause) -> Result<(), ProfileError> {
        let command = UserCommand::SignOutEverywhere { at: self.ports.clock.now() };
        Ok(self.user_command(id, command, cause).await?)
    }

    /// Sends tokens to the address of now and to the one to be. Whether the latter belongs to somebody is not said.
    pub async fn request_email_change(
        &self,
        id: UserId,
        password: &Secret,
        to: String,
        cause: &Cause,
    ) -> Result<(), ProfileError> {
        self.knowing(id, password).await?;
        let (old, new) = (self.proof(EMAIL_CHANGE_TTL), self.proof(EMAIL_CHANGE_TTL));
        let command = UserCommand::RequestEmailChange { to, old, new, at: self.ports.clock.now() };
        Ok(self.user_command(id, command, cause).await?)
    }

    /// One of the two addresses agrees. True when both have, and the address is another.
    pub async fn confirm_email_change(&self, token: &Secret, cause: &Cause) -> Result<bool, MailTokenError> {
        let (id, user) = self.user_of_token(token).await?;
        let nonce = self.proven(token, MailPurpose::ChangeEmail, id, user.email_change_nonces())?;
        let command = UserCommand::ConfirmEmailChange { nonce, at: self.ports.clock.now() };
        self.user_command(id, command, cause).await?;
        let (user, _) = self.ports.load::<User>(AccountId::SYSTEM, &id.to_string()).await?;
        match (user.agreed_email(), user.registered()) {
            (Some(to), Some(registered)) => {
                self.complete_email_change(id, &registered.email, to, cause).await?;
                Ok(true)
            },
            _ => Ok(false),
        }
    }

    async fn complete_email_change(
        &self,
        id: UserId,
        from: &str,
        to: &str,
        cause: &Cause,
    ) -> Result<(), MailTokenError> {
        let secrets = &*self.ports.secrets;
        let (old, new) = (keys::email_claim(secrets, from), keys::email_claim(secrets, to));
        let text = id.to_string();
        let take = Claim::Take { key: new.clone(), value: text.clone().into_bytes(), expires_at: None };
        // Another spelling of the same address is the same claim.
        let claims = if old == new { Vec::new() } else { vec![take, Claim::Release { key: old }] };
        let command = UserCommand::CompleteEmailChange { to: to.to_owned(), at: self.ports.clock.now() };
        let account = AccountId::SYSTEM;
        let execution = Execution::<User> { account, id: &text, command, fresh: false, claims, cause };
        match self.ports.execute(execution).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Refused(_)) => Err(MailTokenError::InvalidToken),
            Err(ExecuteError::ClaimTaken(..)) => Err(CreateAccountError::EmailTaken.into()),
            Err(ExecuteError::Port(error)) => Err(error.into()),
        }
    }
}
