use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::SecretHash;
use crate::{Network, SessionId};

events! {
    /// What happened to a key.
    pub enum ApiKeyEvent {
        /// It was made.
        Created(ApiKeyCreated) = "api_key.created" v "1",
        /// It has another secret.
        Rotated(ApiKeyRotated) = "api_key.rotated" v "1",
        /// It does not work any more.
        Revoked(ApiKeyRevoked) = "api_key.revoked" v "1",
    }
}

/// See [`ApiKeyEvent::Created`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiKeyCreated {
    /// Its name.
    pub name: String,
    /// Which network it reaches.
    pub network: Network,
    /// The part of the key by which it is found.
    pub lookup_id: String,
    /// Hash of the part that proves it.
    pub secret_hash: SecretHash,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Which sessions it may touch; all when absent.
    pub session_ids: Option<Vec<SessionId>>,
    /// From which addresses it may be used, in CIDR notation; from all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_allow_list: Option<Vec<String>>,
    /// From when on it does not work.
    pub expires_at: Option<Timestamp>,
    /// How many requests it may make in a minute; only the account's limit holds when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit_per_min: Option<u32>,
    /// When.
    pub at: Timestamp,
}

/// See [`ApiKeyEvent::Rotated`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiKeyRotated {
    /// The part of the new key by which it is found.
    pub lookup_id: String,
    /// Hash of the part that proves it.
    pub secret_hash: SecretHash,
    /// So long the key from before works, too.
    pub previous_until: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// See [`ApiKeyEvent::Revoked`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiKeyRevoked {
    /// When.
    pub at: Timestamp,
}
