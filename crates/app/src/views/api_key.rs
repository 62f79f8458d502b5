use serde::{Deserialize, Serialize};
use waxwing_domain::{ApiKeyId, Network, SessionId, Timestamp, api_key::ApiKeyCreated};

/// An API key as it is shown: without anything by which it could be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyView {
    /// Its id.
    pub id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// Which network it reaches.
    pub network: Network,
    /// By which part of it people tell keys apart; it is found by this.
    pub lookup_id: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Which sessions it may touch; all when absent.
    pub session_ids: Option<Vec<SessionId>>,
    /// From which addresses it may be used.
    pub ip_allow_list: Option<Vec<String>>,
    /// From when on it does not work.
    pub expires_at: Option<Timestamp>,
    /// How many requests it may make in a minute.
    pub rate_limit_per_min: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it got its current secret, if not when it was made.
    pub rotated_at: Option<Timestamp>,
}

impl ApiKeyView {
    /// What is shown of a key.
    pub fn new(id: ApiKeyId, key: &ApiKeyCreated, rotated_at: Option<Timestamp>) -> Self {
        let key = key.clone();
        Self {
            id,
            name: key.name,
            network: key.network,
            lookup_id: key.lookup_id,
            scopes: key.scopes,
            session_ids: key.session_ids,
            ip_allow_list: key.ip_allow_list,
            expires_at: key.expires_at,
            rate_limit_per_min: key.rate_limit_per_min,
            created_at: key.at,
            rotated_at,
        }
    }
}
