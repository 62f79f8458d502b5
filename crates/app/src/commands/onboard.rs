//! Make an account with its owner and a first API key, and say the secrets this once.

use serde::Serialize;
use waxwing_domain::{AccountId, Network, Secret};

use super::{ApiKeyCommandError, Commands, CreateAccountError, DrawnApiKey, NewAccount, NewApiKey};
use crate::{execute::Cause, ports::EntropyExt};

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
    ApiKey(#[from] ApiKeyCommandError),
}

impl NewApiKey {
    /// The first key of an account: it has all scopes.
    pub fn first(network: Network) -> Self {
        Self {
            name: "first key".to_owned(),
            network,
            scopes: vec!["*".to_owned()],
            session_ids: None,
            ip_allow_list: None,
            expires_at: None,
            rate_limit_per_min: None,
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
        let api_key = self.create_first_key(made.account, self.draw_api_key(self.network), cause).await?;
        Ok(Onboarded { account_id: made.account, owner_email: email, owner_password: password, api_key })
    }

    /// Makes the first key of an account for the network that this process serves. The key in full.
    pub async fn create_first_key(
        &self,
        account: AccountId,
        drawn: DrawnApiKey,
        cause: &Cause,
    ) -> Result<Secret, ApiKeyCommandError> {
        let new = NewApiKey::first(self.network);
        self.create_api_key(account, drawn.clone(), new, None, cause).await?;
        Ok(drawn.0)
    }
}
