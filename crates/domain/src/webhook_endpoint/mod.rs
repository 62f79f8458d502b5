//! Where events are delivered.

mod command;
mod error;
mod event;

pub use command::{CreateWebhookEndpoint, WebhookEndpointCommand};
pub use error::WebhookEndpointError;
pub use event::{WebhookEndpointCreated, WebhookEndpointDeleted, WebhookEndpointEvent};
use serde::{Deserialize, Serialize};

/// Longest address, in bytes.
pub const URL_BYTES_MAX: usize = 2_048;
/// Longest description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 500;
/// Most sessions that one endpoint names.
pub const SESSIONS_MAX: usize = 1_000;

/// Every event type that receivers can ask for.
pub const EVENT_TYPES: &[&str] = &[
    "message.received",
    "message.sent_from_phone",
    "message.status",
    "message.edited",
    "message.deleted",
    "message.reaction",
    "message.poll_vote",
    "session.connected",
    "session.disconnected",
    "session.qr",
    "session.status",
    "session.restricted",
    "group.created",
    "group.updated",
    "group.participants",
    "contact.updated",
    "contact.identity_merged",
    "chat.updated",
    "presence.updated",
    "call.received",
    "media.ready",
    "media.failed",
    "webhook.disabled",
    "campaign.progress",
    "insight.created",
];

/// Event types that are told live only: they are in no journal, and an endpoint gets them when it names them.
pub const TRANSIENT_EVENT_TYPES: &[&str] = &["session.qr", "presence.updated"];

/// State of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WebhookEndpoint {
    created: Option<WebhookEndpointCreated>,
    deleted: bool,
}

impl WebhookEndpoint {
    /// What it is, until it is deleted.
    pub fn active(&self) -> Option<&WebhookEndpointCreated> {
        self.created.as_ref().filter(|_| !self.deleted)
    }

    /// Which events follow from the command.
    pub fn decide(
        &self,
        command: WebhookEndpointCommand,
    ) -> Result<Vec<WebhookEndpointEvent>, WebhookEndpointError> {
        match (&self.created, command) {
            (None, WebhookEndpointCommand::Create(create)) => create.decide(),
            (Some(_), WebhookEndpointCommand::Create(_)) => Err(WebhookEndpointError::AlreadyExists),
            (Some(_), WebhookEndpointCommand::Delete { at }) if !self.deleted => {
                Ok(vec![WebhookEndpointDeleted { at }.into()])
            },
            (_, WebhookEndpointCommand::Delete { .. }) => Err(WebhookEndpointError::NotFound),
        }
    }

    fn apply_event(&mut self, event: WebhookEndpointEvent) {
        match event {
            WebhookEndpointEvent::Created(created) => self.created = Some(created),
            WebhookEndpointEvent::Deleted(_) => self.deleted = true,
        }
    }
}

aggregate!(
    WebhookEndpoint,
    "webhook_endpoint",
    WebhookEndpointCommand,
    WebhookEndpointEvent,
    WebhookEndpointError
);

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use jiff::Timestamp;

    use super::*;
    use crate::Secret;

    fn create() -> CreateWebhookEndpoint {
        CreateWebhookEndpoint {
            url: "https://example.com/hook".into(),
            events: vec!["message.received".into()],
            session_ids: None,
            description: None,
            secret: Secret("whsec_x".into()),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn created() -> WebhookEndpointEvent {
        create().decide().unwrap().remove(0)
    }

    fn given(events: Vec<WebhookEndpointEvent>) -> cqrs_es::test::AggregateTestExecutor<WebhookEndpoint> {
        TestFramework::<WebhookEndpoint>::with(()).given(events)
    }

    #[test]
    fn an_endpoint_is_made_once_and_deleted_once() {
        let delete = || WebhookEndpointCommand::Delete { at: Timestamp::UNIX_EPOCH };
        let deleted = WebhookEndpointEvent::from(WebhookEndpointDeleted { at: Timestamp::UNIX_EPOCH });
        given(vec![]).when(WebhookEndpointCommand::Create(create())).then_expect_events(vec![created()]);
        given(vec![created()])
            .when(WebhookEndpointCommand::Create(create()))
            .then_expect_error(WebhookEndpointError::AlreadyExists);
        given(vec![]).when(delete()).then_expect_error(WebhookEndpointError::NotFound);
        given(vec![created()]).when(delete()).then_expect_events(vec![deleted.clone()]);
        given(vec![created(), deleted]).when(delete()).then_expect_error(WebhookEndpointError::NotFound);
    }

    #[test]
    fn the_events_of_an_endpoint_have_to_be_known() {
        for events in
            [vec![], vec!["message.recieved".to_owned()], vec!["*".to_owned(), "message.received".to_owned()]]
        {
            let wrong = CreateWebhookEndpoint { events, ..create() };
            given(vec![])
                .when(WebhookEndpointCommand::Create(wrong))
                .then_expect_error(WebhookEndpointError::InvalidEvents);
        }
    }
}
