//! Make an account with its owner and a first API key, and say the secrets this once.

use serde::Serialize;
use waxwing_domain::{AccountId, Secret, api_key::ApiKeyError};

use super::{Commands, CreateAccountError, NewAccount, NewApiKey};
use crate::{
    execute::{Cause, ExecuteError},
    ports::EntropyExt,
};

/// Characters of a drawn password: no two look alike.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKMNPQRSTUVWXYZ123456789";
/// Length of a drawn password: 120 random bits.
const PASSWORD_LEN: usize = 24;

/// An account that somebody can begin with, as it is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Onboarded {
    /// The account.
    pub account_id: AccountId,
    /// The owner's address.
    pub owner_email: String,
    /// The owner's password.
    pub owner_password: Secret,
    /// A key with all scopes.
    pub api_key: Secret,
}

/// Why there is no account that somebody can begin with.
#[derive(Debug, thiserror::Error)]
pub enum OnboardError {
    /// See [`CreateAccountError`].
    #[error(transparent)]
    Account(#[from] CreateAccountError),
    /// The account is there, without a key.
    #[error("the API key could not be made: {0}")]
    ApiKey(ExecuteError<ApiKeyError>),
}

impl NewApiKey {
    /// The first key of an account: it has all scopes.
    pub fn first() -> Self {
        Self {
            name: "first key".to_owned(),
            scopes: vec!["*".to_owned()],
            session_ids: None,
            expires_at: None,
        }
    }
}

impl Commands {
    /// A password of 120 random bits.
    pub fn draw_password(&self) -> Secret {
        let random: [u8; PASSWORD_LEN] = self.entropy.bytes();
        Secret(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect())
    }

    /// Makes an account, its owner with a drawn password, and a first API key.
    pub async fn onboard(
        &self,
        name: String,
        email: String,
        cause: &Cause,
    ) -> Result<Onboarded, OnboardError> {
        let (password, ids) = (self.draw_password(), self.draw_account());
        let new = NewAccount { ids, name, email: email.clone(), password: password.clone() };
        let made = self.create_account(new, cause).await?;
        let key = self.create_api_key(made.account, self.draw_api_key(), NewApiKey::first(), cause).await;
        Ok(Onboarded {
            account_id: made.account,
            owner_email: email,
            owner_password: password,
            api_key: key.map_err(OnboardError::ApiKey)?.key,
        })
    }
}
