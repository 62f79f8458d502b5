use async_trait::async_trait;
use serde_json::Value;
use waxwing_domain::{AccountId, SessionId};

/// Why the WhatsApp side did not answer.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// It cannot be reached now.
    #[error("the session host cannot be reached: {0}")]
    Unavailable(String),
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
