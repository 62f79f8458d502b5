use std::time::Duration;

use async_trait::async_trait;

/// A signed webhook, ready to go.
#[derive(Debug, Clone)]
pub struct WebhookRequest {
    /// Where to.
    pub url: String,
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    pub headers: [(&'static str, String); 3],
    /// Goes as `traceparent` (W3C Trace Context), where the event is part of a trace.
    pub traceparent: Option<String>,
    /// JSON.
    pub body: Vec<u8>,
    /// Until when the receiver has to answer.
    pub timeout: Duration,
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookPostError {
    /// The address is private, loopback, link-local or a metadata service.
    #[error("the address may not be reached: {0}")]
    Forbidden(String),
    /// No connection, no answer in time, or a broken one.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

/// Posts to receivers. Follows no redirect, and looks at the address after it was resolved.
#[async_trait]
pub trait WebhookPost: Send + Sync {
    /// The status of the answer.
    async fn post(&self, request: WebhookRequest) -> Result<u16, WebhookPostError>;

    /// Refuses an address that could never be delivered to: scheme, port, or a literal address out of bounds.
    fn check(&self, url: &str) -> Result<(), WebhookPostError>;
}
