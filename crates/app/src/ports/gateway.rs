use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use waxwing_domain::{AccountId, PhoneNumber, SessionId, Timestamp};

/// Why the WhatsApp side did not answer.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// It cannot be reached now.
    #[error("the session host cannot be reached: {0}")]
    Unavailable(String),
}

/// A code to type into a phone, which links the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingCode {
    /// Eight characters of Crockford's base 32.
    pub code: String,
    /// From when on the phone is refused.
    pub expires_at: Timestamp,
}

/// Why there is no pairing code.
#[derive(Debug, thiserror::Error)]
pub enum PairingCodeError {
    /// The session does not wait for a phone.
    #[error("the session does not wait for a phone right now")]
    NotPairing,
    /// WhatsApp gives no code for this number, or not now.
    #[error("{0}")]
    Refused(String),
    /// See [`GatewayError`].
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

/// The sessions that a process looks after, by what its last look told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// How many, by status.
    pub statuses: BTreeMap<&'static str, usize>,
    /// How many, by health.
    pub health: BTreeMap<&'static str, usize>,
    /// Of those that are connected, when the one that has heard nothing for the longest time heard something; to the half minute.
    pub oldest_frame_at: Option<Timestamp>,
    /// WhatsApp refuses the client's version: this process has lately seen it, and its sessions wait.
    pub client_outdated: bool,
}

/// Counts sessions.
pub trait CountsSessions: Send + Sync {
    /// The sessions of this process.
    fn census(&self) -> Census;
}

/// Links sessions.
#[async_trait]
pub trait Pairing: Send + Sync {
    /// A code with which the phone of this number links the session. A session that is on the way to show codes is waited
    /// for, for 10 s at most. A second code replaces the first.
    async fn pairing_code(
        &self,
        account: AccountId,
        session: SessionId,
        phone: &PhoneNumber,
    ) -> Result<PairingCode, PairingCodeError>;
}

/// The session hosts, as the rest of the product sees them. Both calls are hints: what has to happen stands in Records
/// before they are made, and a lost hint only costs time (a host looks by itself every 10 s, on AWS every 30 s).
#[async_trait]
pub trait Gateway: Send + Sync {
    /// The wanted state of the session changed.
    async fn session_changed(&self, account: AccountId, session: SessionId);

    /// The session's outbox has new rows.
    async fn outbox_changed(&self, account: AccountId, session: SessionId);
}

/// One call to the control of an account's simulated network.
#[derive(Debug, Clone)]
pub struct SandboxRequest {
    /// What is done: `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// Below the account's network, without a leading slash, escaped.
    pub path: String,
    /// JSON, where the method has a body.
    pub body: Option<Value>,
    /// Kept in the network's own transaction.
    pub idempotency_key: Option<String>,
}

/// What the network answered.
#[derive(Debug, Clone)]
pub struct SandboxAnswer {
    /// HTTP status of the control API.
    pub status: u16,
    /// Its JSON.
    pub body: Value,
    /// True when an idempotency key was seen before.
    pub replayed: bool,
}

/// The simulated network's control.
#[async_trait]
pub trait SandboxControl: Send + Sync {
    /// Calls the network of the account.
    async fn call(&self, account: AccountId, request: SandboxRequest) -> Result<SandboxAnswer, GatewayError>;
}
