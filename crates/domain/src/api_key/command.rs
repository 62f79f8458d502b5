use jiff::Timestamp;

use super::{
    ApiKeyCreated, ApiKeyError, ApiKeyEvent, IP_RANGES_MAX, RATE_LIMIT_PER_MIN_MAX, SCOPES_MAX, SESSIONS_MAX,
    SecretHash, is_scope,
};
use crate::{Network, SessionId};

/// What can be asked of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum ApiKeyCommand {
    /// Make it.
    Create(CreateApiKey),
    /// Another secret takes the place of the current one.
    Rotate(RotateApiKey),
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
    /// From which addresses it may be used: up to 64 ranges of IPv4 or IPv6 in CIDR notation; all when absent.
    pub ip_allow_list: Option<Vec<String>>,
    /// From when on it does not work.
    pub expires_at: Option<Timestamp>,
    /// How many requests it may make in a minute: 1 to 1,000,000.
    pub rate_limit_per_min: Option<u32>,
    /// When it was made.
    pub at: Timestamp,
}

/// Give a key another secret.
#[derive(Debug, Clone, PartialEq)]
pub struct RotateApiKey {
    /// The part of the new key by which it is found.
    pub lookup_id: String,
    /// Hash of the part that proves it.
    pub secret_hash: SecretHash,
    /// So long the key from before works, too.
    pub previous_until: Timestamp,
    /// When.
    pub at: Timestamp,
}

impl CreateApiKey {
    pub(super) fn decide(self) -> Result<Vec<ApiKeyEvent>, ApiKeyError> {
        let Self { name, network, lookup_id, secret_hash, scopes, session_ids, .. } = self;
        let Self { ip_allow_list, expires_at, rate_limit_per_min, at, .. } = self;
        if !(1..=100).contains(&name.trim().chars().count()) {
            return Err(ApiKeyError::InvalidName);
        }
        if !(1..=SCOPES_MAX).contains(&scopes.len()) {
            return Err(ApiKeyError::InvalidScopes);
        }
        if !scopes.iter().all(|scope| is_scope(scope)) {
            return Err(ApiKeyError::UnknownScope);
        }
        if session_ids.as_ref().is_some_and(|ids| ids.len() > SESSIONS_MAX) {
            return Err(ApiKeyError::TooManySessions);
        }
        if ip_allow_list.as_ref().is_some_and(|ranges| !(1..=IP_RANGES_MAX).contains(&ranges.len())) {
            return Err(ApiKeyError::InvalidIpAllowList);
        }
        if expires_at.is_some_and(|end| end <= at) {
            return Err(ApiKeyError::ExpiresInThePast);
        }
        if rate_limit_per_min.is_some_and(|limit| !(1..=RATE_LIMIT_PER_MIN_MAX).contains(&limit)) {
            return Err(ApiKeyError::InvalidRateLimit);
        }
        let created = ApiKeyCreated {
            name,
            network,
            lookup_id,
            secret_hash,
            scopes,
            session_ids,
            ip_allow_list,
            expires_at,
            rate_limit_per_min,
            at,
        };
        Ok(vec![created.into()])
    }
}
