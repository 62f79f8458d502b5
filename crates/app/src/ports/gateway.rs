use async_trait::async_trait;
use serde_json::Value;
use waxwing_domain::{AccountId, PhoneNumber, SessionId};

/// Why the WhatsApp side did not answer.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// It cannot be reached now.
    #[error("the session host cannot be reached: {0}")]
    Unavailable(String),
}

/// The session hosts, as the rest of the product sees them. Both calls are hints: what has to happen stands in Records
/// before they are made, and a lost hint only costs time (a host looks by itself every 10 s).
#[async_trait]
pub trait Gateway: Send + Sync {
    /// The wanted state of the session changed.
    async fn session_changed(&self, account: AccountId, session: SessionId);

    /// The session's outbox has new rows.
    async fn outbox_changed(&self, account: AccountId, session: SessionId);
}

/// One call to the simulated network of an account.
#[derive(Debug, Clone)]
pub enum SandboxRequest {
    /// Make a phone, or find it.
    CreatePhone(Value),
    /// List phones.
    Phones {
        /// Page size.
        limit: usize,
        /// Where to go on.
        cursor: Option<String>,
    },
    /// The phone scans a session's QR code.
    Scan(PhoneNumber, Value),
    /// The phone enters a pairing code.
    EnterCode(PhoneNumber, Value),
    /// The phone's owner sends a message.
    Send {
        /// Whose phone.
        phone: PhoneNumber,
        /// The message.
        message: Value,
        /// Kept in the network's own transaction.
        idempotency_key: Option<String>,
    },
    /// What the phone decrypted.
    Inbox {
        /// Whose phone.
        phone: PhoneNumber,
        /// Page size.
        limit: usize,
        /// Where to go on.
        cursor: Option<String>,
    },
    /// How the phone behaves.
    Behaviour(PhoneNumber),
    /// Change how the phone behaves.
    SetBehaviour(PhoneNumber, Value),
    /// What happened to each message.
    Ledger {
        /// Page size.
        limit: usize,
        /// Where to go on.
        cursor: Option<String>,
    },
    /// Add a fault.
    AddFault(Value),
    /// List faults.
    Faults,
    /// Remove all faults.
    ClearFaults,
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
