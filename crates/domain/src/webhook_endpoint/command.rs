use jiff::Timestamp;

use super::{
    DESCRIPTION_CHARS_MAX, EVENT_TYPES, SESSIONS_MAX, URL_BYTES_MAX, WebhookEndpointCreated,
    WebhookEndpointError, WebhookEndpointEvent,
};
use crate::{Secret, SessionId};

/// What can be asked of an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub enum WebhookEndpointCommand {
    /// Make it.
    Create(CreateWebhookEndpoint),
    /// It should be gone.
    Delete {
        /// When.
        at: Timestamp,
    },
}

/// Make an endpoint. That its address may be reached is checked before, and again at each delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateWebhookEndpoint {
    /// Where to deliver.
    pub url: String,
    /// Which event types, or `*` alone.
    pub events: Vec<String>,
    /// Only events of these sessions; of all when absent.
    pub session_ids: Option<Vec<SessionId>>,
    /// For people.
    pub description: Option<String>,
    /// The signing secret, `whsec_…`.
    pub secret: Secret,
    /// When.
    pub at: Timestamp,
}

impl CreateWebhookEndpoint {
    pub(super) fn decide(self) -> Result<Vec<WebhookEndpointEvent>, WebhookEndpointError> {
        Ok(vec![self.decide_created()?.into()])
    }

    /// What the endpoint will be, or why it is refused.
    pub fn decide_created(self) -> Result<WebhookEndpointCreated, WebhookEndpointError> {
        let Self { url, mut events, session_ids, description, secret, at } = self;
        if url.len() > URL_BYTES_MAX {
            return Err(WebhookEndpointError::UrlTooLong);
        }
        let all = events.len() == 1 && events[0] == "*";
        if !all && (events.is_empty() || !events.iter().all(|event| EVENT_TYPES.contains(&event.as_str()))) {
            return Err(WebhookEndpointError::InvalidEvents);
        }
        events.dedup();
        if session_ids.as_ref().is_some_and(|ids| ids.is_empty() || ids.len() > SESSIONS_MAX) {
            return Err(WebhookEndpointError::InvalidSessions);
        }
        if description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS_MAX) {
            return Err(WebhookEndpointError::DescriptionTooLong);
        }
        Ok(WebhookEndpointCreated { url, events, session_ids, description, secret, at })
    }
}
