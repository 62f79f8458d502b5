//! Sign in, stay signed in, sign out.
//!
//! A sign-in is one row: whose it is, and the keyed hash of its current refresh token. Each refresh replaces the hash
//! under a guard on the row's version, so of several with one token one wins. A token that is not the current one was used
//! before, by the owner or by a thief: then the row goes, and with it every token of the sign-in.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use waxwing_domain::{
    AccountId, Secret, UserId,
    account::{Account, Role},
    user::{User, UserCommand},
};

use super::{Commands, authenticate::AuthenticateError, create_account::UserCommandError};
use crate::{
    execute::Cause,
    keys, passwords,
    ports::{Consistency, EntropyExt, Guard, KeyedHash, PortError, Row, Write},
    queries, rows,
    tokens::{ACCESS_TOKEN_TTL, access_token, same},
};

/// A sign-in that is not refreshed ends after this time.
pub const REFRESH_TOKEN_TTL: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Random bytes of a sign-in's id, which begins its refresh tokens.
const ID_LEN: usize = 16;
/// Random bytes of a refresh token's secret part.
const SECRET_LEN: usize = 32;

/// What a sign-in or a refresh gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// A JWT for requests.
    pub access_token: Secret,
    /// For the next refresh; good once.
    pub refresh_token: Secret,
    /// How long the access token is good.
    pub expires_in: SignedDuration,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No user has this address and this password.
    #[error("the address or the password is wrong")]
    InvalidCredentials,
    /// Both are right, and the address was never proven.
    #[error("the address has not been confirmed; the code was sent to it")]
    EmailNotVerified,
    /// Both are right, and a code of the second factor is needed.
    #[error("a code of the authenticator app, or a recovery code, is needed in totp")]
    TotpRequired,
    /// Not the code of now, or used before.
    #[error("the code is wrong, was used before, or its time is over")]
    InvalidTotp,
    /// All is right, and the user belongs to no account, or not to the wanted one.
    #[error("the user does not belong to the account, or to none at all")]
    NotAMember,
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SignInRow {
    user: UserId,
    account: AccountId,
    started_at: Timestamp,
    token_hash: Secret,
}

/// A refresh token in its parts.
struct RefreshToken {
    id: String,
    secret: Secret,
}

impl RefreshToken {
    fn text(&self) -> Secret {
        Secret(format!("{}.{}", self.id, self.secret.0))
    }

    fn read(token: &Secret) -> Option<Self> {
        let (id, secret) = token.0.split_once('.')?;
        let of_length =
            |text: &str, length| URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == length);
        let is_one = token.0.len() <= 128 && of_length(id, ID_LEN) && of_length(secret, SECRET_LEN);
        is_one.then(|| Self { id: id.to_owned(), secret: Secret(secret.to_owned()) })
    }
}

impl Commands {
    /// Signs in with a password, and a code where the user has a second factor: to the wanted account, or else to the
    /// first joined that still has the user. Unknown addresses take the same work as known ones.
    pub async fn sign_in(
        &self,
        email: &str,
        password: &Secret,
        code: Option<&Secret>,
        account: Option<AccountId>,
        cause: &Cause,
    ) -> Result<SignedIn, SignInError> {
        // Before the password is looked at: one that is replaced meanwhile ends this sign-in.
        let started_at = self.ports.clock.now();
        let known = self.user_by_email(email).await?;
        let id = known.unwrap_or_else(|| UserId::new(0, [0; 10]));
        let (user, _) = self.ports.load::<User>(AccountId::SYSTEM, &id.to_string()).await?;
        let hash = user.password_hash().filter(|_| known.is_some());
        if !passwords::matches(password, hash).await? {
            return Err(SignInError::InvalidCredentials);
        }
        if !user.is_verified() {
            return Err(SignInError::EmailNotVerified);
        }
        if user.totp_secret().is_some() {
            let code = code.ok_or(SignInError::TotpRequired)?;
            if !self.passes_second_factor(id, &user, code, cause).await? {
                return Err(SignInError::InvalidTotp);
            }
        }
        self.rehash(id, &user, password, cause).await?;
        let account = self.account_of(id, &user, account).await?;
        self.start_sign_in(id, account, started_at).await
    }

    async fn account_of(
        &self,
        id: UserId,
        user: &User,
        wanted: Option<AccountId>,
    ) -> Result<AccountId, SignInError> {
        let joined = user.joined().iter().map(|joined| joined.account);
        for account in joined.filter(|account| wanted.is_none_or(|wanted| wanted == *account)) {
            if queries::account(&self.ports, account).await?.role_of(id).is_some() {
                return Ok(account);
            }
        }
        Err(SignInError::NotAMember)
    }

    /// Gives the password a hash of today, where the user has another.
    async fn rehash(
        &self,
        id: UserId,
        user: &User,
        password: &Secret,
        cause: &Cause,
    ) -> Result<(), PortError> {
        let Some(verified) = user.password_hash().filter(|hash| passwords::is_outdated(hash)).cloned() else {
            return Ok(());
        };
        let password_hash = passwords::hash(&*self.entropy, password).await?;
        let command = UserCommand::Rehash { verified, password_hash, at: self.ports.clock.now() };
        match self.user_command(id, command, cause).await {
            Ok(()) | Err(UserCommandError::User(_)) => Ok(()),
            Err(UserCommandError::Port(error)) => Err(error),
        }
    }

    /// A sign-in of a user who has shown all that is needed.
    pub(super) async fn start_sign_in<E: From<PortError>>(
        &self,
        id: UserId,
        account: AccountId,
        started_at: Timestamp,
    ) -> Result<SignedIn, E> {
        let (family, secret): ([u8; ID_LEN], [u8; SECRET_LEN]) = (self.entropy.bytes(), self.entropy.bytes());
        let token = RefreshToken {
            id: URL_SAFE_NO_PAD.encode(family),
            secret: Secret(URL_SAFE_NO_PAD.encode(secret)),
        };
        let row = SignInRow { user: id, account, started_at, token_hash: self.token_hash(&token) };
        let write = Write::Put(self.sign_in_row(&token.id, 1, &row)?, Guard::Absent);
        match self.records.write_each(vec![write]).await?[..] {
            [true] => self.signed_in(&token, &row),
            _ => Err(PortError::Conflict("a random id was drawn twice".to_owned()).into()),
        }
    }

    /// New tokens for a refresh token, which is used up by that. One that was used before ends the sign-in.
    pub async fn refresh(&self, token: &Secret) -> Result<SignedIn, AuthenticateError> {
        let presented = RefreshToken::read(token).ok_or(AuthenticateError::Invalid)?;
        let key = keys::sign_in(&presented.id);
        let Some(found) = self.records.get(&key, Consistency::Strong).await? else {
            return Err(AuthenticateError::Invalid);
        };
        let row: SignInRow = rows::value(&found)?;
        let secret: [u8; SECRET_LEN] = self.entropy.bytes();
        let next = RefreshToken { id: presented.id.clone(), secret: Secret(URL_SAFE_NO_PAD.encode(secret)) };
        let is_current = same(&self.token_hash(&presented), &row.token_hash);
        if is_current && self.standing(&row).await?.is_some() {
            let row = SignInRow { token_hash: self.token_hash(&next), ..row };
            let replaced = self.sign_in_row(&next.id, found.version + 1, &row)?;
            let write = Write::Put(replaced, Guard::Exactly(found.version));
            if self.records.write_each(vec![write]).await? == [true] {
                return self.signed_in(&next, &row);
            }
        }
        tracing::warn!(user = %row.user, "a refresh token was used again: its sign-in ends");
        self.end_sign_in(&presented.id).await?;
        Err(AuthenticateError::Invalid)
    }

    /// Ends the sign-in of a refresh token, also one that was used up. One that is not there is fine.
    pub async fn sign_out(&self, token: &Secret) -> Result<(), PortError> {
        match RefreshToken::read(token) {
            Some(token) => self.end_sign_in(&token.id).await,
            None => Ok(()),
        }
    }

    /// Ends a sign-in: its refresh token and its access tokens are dead at once.
    pub async fn end_sign_in(&self, id: &str) -> Result<(), PortError> {
        self.records.write_each(vec![Write::Delete(keys::sign_in(id), Guard::Always)]).await.map(drop)
    }

    /// What the user of the sign-in is in its account right now, and whether that is suspended; `None` when it is over.
    pub(super) async fn signed_in_as(
        &self,
        id: &str,
        (user, account): (UserId, AccountId),
    ) -> Result<Option<(Role, Arc<Account>)>, PortError> {
        match rows::get::<SignInRow>(&*self.records, &keys::sign_in(id)).await? {
            Some(row) if row.user == user && row.account == account => self.standing(&row).await,
            _ => Ok(None),
        }
    }

    /// `None` when the password was replaced since, or the user belongs to the account no more.
    async fn standing(&self, row: &SignInRow) -> Result<Option<(Role, Arc<Account>)>, PortError> {
        let (user, account) = (row.user.to_string(), row.account.to_string());
        let (user, account) = tokio::try_join!(
            self.ports.load_current::<User>(AccountId::SYSTEM, &user),
            self.ports.load_current::<Account>(row.account, &account)
        )?;
        // Who was removed and came back signs in anew.
        let member = account.members().get(&row.user).filter(|member| member.joined_at <= row.started_at);
        let role = member.filter(|_| user.keeps_sign_in(row.started_at)).map(|member| member.role);
        Ok(role.map(|role| (role, account)))
    }

    fn token_hash(&self, token: &RefreshToken) -> Secret {
        let hash: KeyedHash = self.ports.secrets.keyed_hash("refresh_token", token.text().0.as_bytes());
        Secret(URL_SAFE_NO_PAD.encode(hash))
    }

    fn sign_in_row(&self, id: &str, version: u64, row: &SignInRow) -> Result<Row, PortError> {
        let expires_at = self.ports.clock.now().checked_add(REFRESH_TOKEN_TTL).ok();
        Ok(Row { expires_at, ..rows::row(keys::sign_in(id), version, row)? })
    }

    fn signed_in<E: From<PortError>>(&self, token: &RefreshToken, row: &SignInRow) -> Result<SignedIn, E> {
        let subject = (row.user, row.account, token.id.as_str());
        let access_token = access_token(&*self.ports.secrets, subject, self.ports.clock.now())?;
        Ok(SignedIn { access_token, refresh_token: token.text(), expires_in: ACCESS_TOKEN_TTL })
    }
}
