//! Register: a user whose address has to be proven, and the account that the user owns.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::SignedDuration;
use waxwing_domain::{
    AccountId, Secret, UserId,
    account::Role,
    user::{JoinedAccount, Proof, User, UserCommand},
};

use super::{Commands, CreateAccountError, CreatedAccount, NewAccount, create_account::UserCommandError};
use crate::{
    execute::Cause,
    keys,
    ports::{EntropyExt, PortError},
    tokens::{MailPurpose, mail_token, same, user_of_mail_token},
};

/// How long the token that proves an address is good.
const VERIFICATION_TTL: SignedDuration = SignedDuration::from_hours(24);
/// How long the token that allows another password is good.
const RESET_TTL: SignedDuration = SignedDuration::from_hours(1);
/// How long it takes to say that a mail may follow: longer than the commit of one that does.
const ASKING_TAKES: Duration = Duration::from_millis(400);

/// Who registers.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The address.
    pub email: String,
    /// The password.
    pub password: Secret,
    /// What to call the person, and the account.
    pub name: String,
}

/// Why a mail's token led to nothing.
#[derive(Debug, thiserror::Error)]
pub enum MailTokenError {
    /// Not one of ours, used before, replaced by a later one, or its time is over.
    #[error("the token is not valid any more; ask for another")]
    InvalidToken,
    /// See [`CreateAccountError::InvalidPassword`].
    #[error(transparent)]
    Account(#[from] CreateAccountError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<UserCommandError> for MailTokenError {
    fn from(error: UserCommandError) -> Self {
        match error {
            UserCommandError::User(_) => Self::InvalidToken,
            UserCommandError::Port(error) => Self::Port(error),
        }
    }
}

/// What others know of a user, and would try as a password.
pub(super) fn known(user: &User) -> Vec<&str> {
    let registered = user.registered();
    registered.into_iter().flat_map(|user| [&*user.email, user.name.as_deref().unwrap_or_default()]).collect()
}

impl Commands {
    /// Makes a user and the account that the user owns. A mail with a token follows from the commit.
    pub async fn register(
        &self,
        registration: Registration,
        cause: &Cause,
    ) -> Result<CreatedAccount, CreateAccountError> {
        let Registration { email, password, name } = registration;
        let ids = self.draw_account();
        let new = NewAccount { ids, name: name.clone(), email, password };
        let proof = self.proof(VERIFICATION_TTL);
        self.create_user(new, Some(name.clone()), Some(proof), cause).await?;
        self.finish_account(ids, &name, cause).await?;
        Ok(ids)
    }

    /// Proves an address by the token that was sent to it.
    pub async fn verify_email(&self, token: &Secret, cause: &Cause) -> Result<(), MailTokenError> {
        let (id, user) = self.user_of_token(token).await?;
        let nonce = self.proven(token, MailPurpose::VerifyEmail, id, user.verification_nonce())?;
        self.finish_registration(id, &user, cause).await?;
        let command = UserCommand::VerifyEmail { nonce, at: self.ports.clock.now() };
        Ok(self.user_command(id, command, cause).await?)
    }

    /// The account is not there when the process ended between the two commits of a registration.
    async fn finish_registration(
        &self,
        owner: UserId,
        user: &User,
        cause: &Cause,
    ) -> Result<(), CreateAccountError> {
        let own = user.joined().first().filter(|joined| joined.role == Role::Owner && !user.is_verified());
        let (Some(JoinedAccount { account, .. }), Some(registered)) = (own, user.registered()) else {
            return Ok(());
        };
        let name = registered.name.as_deref().unwrap_or(&registered.email);
        self.finish_account(CreatedAccount { account: *account, owner }, name, cause).await
    }

    /// Has the token that proves an address sent once more, if a user has it and has not proven it. Says nothing about that.
    pub async fn resend_verification(&self, email: &str, cause: &Cause) -> Result<(), PortError> {
        let (proof, at) = (self.proof(VERIFICATION_TTL), self.ports.clock.now());
        self.ask_for_mail(email, UserCommand::RequestVerification { proof, at }, cause).await
    }

    /// Has a token sent to the address, if a user has it. Says nothing about that.
    pub async fn forgot_password(&self, email: &str, cause: &Cause) -> Result<(), PortError> {
        let (proof, at) = (self.proof(RESET_TTL), self.ports.clock.now());
        self.ask_for_mail(email, UserCommand::RequestPasswordReset { proof, at }, cause).await
    }

    /// Takes the same time whether a mail follows or not.
    async fn ask_for_mail(&self, email: &str, command: UserCommand, cause: &Cause) -> Result<(), PortError> {
        let (answered, _) =
            tokio::join!(self.command_of_address(email, command, cause), tokio::time::sleep(ASKING_TAKES));
        answered
    }

    async fn command_of_address(
        &self,
        email: &str,
        command: UserCommand,
        cause: &Cause,
    ) -> Result<(), PortError> {
        let Some(id) = self.user_by_email(email).await? else { return Ok(()) };
        match self.user_command(id, command, cause).await {
            Ok(()) | Err(UserCommandError::User(_)) => Ok(()),
            Err(UserCommandError::Port(error)) => Err(error),
        }
    }

    /// Sets another password by the token that was sent to the address. All sign-ins end. The user's address.
    pub async fn reset_password(
        &self,
        token: &Secret,
        password: &Secret,
        cause: &Cause,
    ) -> Result<String, MailTokenError> {
        let (id, user) = self.user_of_token(token).await?;
        let nonce = self.proven(token, MailPurpose::ResetPassword, id, user.reset_nonce())?;
        let password_hash = self.password_hash(password, &known(&user)).await?;
        self.finish_registration(id, &user, cause).await?;
        let command = UserCommand::ResetPassword { nonce, password_hash, at: self.ports.clock.now() };
        self.user_command(id, command, cause).await?;
        Ok(user.registered().map(|registered| registered.email.clone()).unwrap_or_default())
    }

    /// Whose address it is.
    pub(super) async fn user_by_email(&self, email: &str) -> Result<Option<UserId>, PortError> {
        let claim = keys::email_claim(&*self.ports.secrets, email);
        let Some(value) = self.ports.journal.claim(&claim).await? else { return Ok(None) };
        let id = std::str::from_utf8(&value).ok().and_then(|id| id.parse().ok());
        id.map(Some).ok_or_else(|| PortError::Corrupt("claim of an address".to_owned()))
    }

    pub(super) fn proof(&self, ttl: SignedDuration) -> Proof {
        let nonce: [u8; 32] = self.entropy.bytes();
        Proof { nonce: Secret(STANDARD.encode(nonce)), expires_at: self.ports.clock.now() + ttl }
    }

    pub(super) async fn user_of_token(&self, token: &Secret) -> Result<(UserId, User), MailTokenError> {
        let id = user_of_mail_token(token).ok_or(MailTokenError::InvalidToken)?;
        let (user, _) = self.ports.load::<User>(AccountId::SYSTEM, &id.to_string()).await?;
        Ok((id, user))
    }

    /// Of these nonces the one to which the token belongs. Whether it is still good the user decides.
    pub(super) fn proven<'a>(
        &self,
        token: &Secret,
        purpose: MailPurpose,
        user: UserId,
        nonces: impl IntoIterator<Item = &'a Secret>,
    ) -> Result<Secret, MailTokenError> {
        let expected = |nonce: &&Secret| same(&mail_token(&*self.ports.secrets, purpose, user, nonce), token);
        nonces.into_iter().find(expected).cloned().ok_or(MailTokenError::InvalidToken)
    }
}
