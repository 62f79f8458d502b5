use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::TRANSIENT_EVENT_TYPES;
use crate::{Secret, SessionId};

events! {
    /// What happened to an endpoint.
    pub enum WebhookEndpointEvent {
        /// It was made.
        Created(WebhookEndpointCreated) = "webhook_endpoint.created" v "1",
        /// It is gone.
        Deleted(WebhookEndpointDeleted) = "webhook_endpoint.deleted" v "1",
    }
}

/// See [`WebhookEndpointEvent::Created`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WebhookEndpointCreated {
    /// Where to deliver.
    pub url: String,
    /// Which event types, or `*` alone.
    pub events: Vec<String>,
    /// Only events of these sessions; of all when absent.
    pub session_ids: Option<Vec<SessionId>>,
    /// For people.
    pub description: Option<String>,
    /// The signing secret.
    pub secret: Secret,
    /// When.
    pub at: Timestamp,
}

impl WebhookEndpointCreated {
    /// True when an endpoint with these events and sessions wants an event of this type and session. Transient types
    /// have to be named.
    pub fn wants_event(
        events: &[String],
        session_ids: Option<&[SessionId]>,
        event_type: &str,
        session: Option<SessionId>,
    ) -> bool {
        let named = events.iter().any(|event| event == event_type);
        let by_star = events.iter().any(|event| event == "*") && !TRANSIENT_EVENT_TYPES.contains(&event_type);
        let session_fits = match (session_ids, session) {
            (Some(ids), Some(session)) => ids.contains(&session),
            (Some(_), None) => false,
            (None, _) => true,
        };
        (named || by_star) && session_fits
    }
}

/// See [`WebhookEndpointEvent::Deleted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WebhookEndpointDeleted {
    /// When.
    pub at: Timestamp,
}
