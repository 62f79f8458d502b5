use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waxwing_app::views::WebhookView;
use waxwing_domain::SessionId;

/// A webhook endpoint to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateWebhook)]
pub(crate) struct CreateWebhookIn {
    /// Where to deliver: http or https, up to 2,048 bytes.
    #[schema(format = "uri", max_length = 2048, example = "https://example.com/waxwing")]
    pub(crate) url: String,
    /// Which event types, or `*` alone.
    #[schema(min_items = 1, example = json!(["message.received", "message.status"]))]
    pub(crate) events: Vec<String>,
    /// Only events of these sessions.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) session_ids: Option<Vec<SessionId>>,
    /// For people; up to 500 characters.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub(crate) description: Option<String>,
}

/// A webhook endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookOut {
    /// Its id.
    #[schema(example = "whk_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    id: String,
    /// Where to deliver.
    url: String,
    /// Which event types.
    events: Vec<String>,
    /// Of which sessions; of all when null.
    #[schema(value_type = Option<Vec<String>>, required)]
    session_ids: Option<Vec<SessionId>>,
    /// For people.
    #[schema(required)]
    description: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The signing secret, when the endpoint was made and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, example = "whsec_…")]
    secret: Option<String>,
}

impl WebhookOut {
    pub(crate) fn new(view: &WebhookView, secret: Option<String>) -> Self {
        Self {
            id: view.id.to_string(),
            url: view.url.clone(),
            events: view.events.clone(),
            session_ids: view.session_ids.clone(),
            description: view.description.clone(),
            created_at: view.created_at,
            secret,
        }
    }
}
