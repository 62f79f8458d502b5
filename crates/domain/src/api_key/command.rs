use jiff::Timestamp;

use super::{ApiKeyCreated, ApiKeyError, ApiKeyEvent, SCOPES_MAX, SecretHash};
use crate::{Network, SessionId};

/// What can be asked of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum ApiKeyCommand {
    /// Make it.
    Create(CreateApiKey),
    /// It must not work any more.
    Revoke {
        /// When.
        at: Timestamp,
    },
}

/// Make a key.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateApiKey {
    /// 1 to 100 characters.
    pub name: String,
    /// Which network it reaches.
    pub network: Network,
    /// The part of the key by which it is found.
    pub lookup_id: String,
    /// Hash of the part that proves it.
    pub secret_hash: SecretHash,
    /// What it may do: `messages:send`, `sessions:write`, `*`, …
    pub scopes: Vec<String>,
    /// Which sessions it may touch; all when absent.
    pub session_ids: Option<Vec<SessionId>>,
    /// From when on it does not work.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub at: Timestamp,
}

impl CreateApiKey {
    pub(super) fn decide(self) -> Result<Vec<ApiKeyEvent>, ApiKeyError> {
        let Self { name, network, lookup_id, secret_hash, scopes, session_ids, expires_at, at } = self;
        if !(1..=100).contains(&name.trim().chars().count()) {
            return Err(ApiKeyError::InvalidName);
        }
        if !(1..=SCOPES_MAX).contains(&scopes.len()) {
            return Err(ApiKeyError::InvalidScopes);
        }
        let created =
            ApiKeyCreated { name, network, lookup_id, secret_hash, scopes, session_ids, expires_at, at };
        Ok(vec![created.into()])
    }
}
