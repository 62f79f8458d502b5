use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use waxwing_domain::{SessionId, WebhookEndpointId, webhook_endpoint::WebhookEndpointCreated};

/// A webhook endpoint, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WebhookView {
    /// Its id.
    pub id: WebhookEndpointId,
    /// Where to deliver.
    pub url: String,
    /// Which event types.
    pub events: Vec<String>,
    /// Of which sessions.
    pub session_ids: Option<Vec<SessionId>>,
    /// For people.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl WebhookView {
    /// What is shown of an endpoint.
    pub fn new(id: WebhookEndpointId, created: &WebhookEndpointCreated) -> Self {
        Self {
            id,
            url: created.url.clone(),
            events: created.events.clone(),
            session_ids: created.session_ids.clone(),
            description: created.description.clone(),
            created_at: created.at,
        }
    }
}
