//! A key with which programs call the API.

mod command;
mod error;
mod event;

pub use command::{ApiKeyCommand, CreateApiKey};
pub use error::ApiKeyError;
pub use event::{ApiKeyCreated, ApiKeyEvent, ApiKeyRevoked};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Network, Secret, SessionId};

/// Most scopes of one key.
pub const SCOPES_MAX: usize = 64;

/// State of one key: what a check needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    created: Option<ApiKeyCreated>,
    revoked: bool,
}

impl ApiKey {
    /// What the key may do, unless it was revoked or its time is over.
    pub fn valid_at(&self, now: Timestamp) -> Option<&ApiKeyCreated> {
        let alive =
            |created: &&ApiKeyCreated| !self.revoked && created.expires_at.is_none_or(|end| now < end);
        self.created.as_ref().filter(alive)
    }

    /// Which events follow from the command.
    pub fn decide(&self, command: ApiKeyCommand) -> Result<Vec<ApiKeyEvent>, ApiKeyError> {
        match (&self.created, command) {
            (None, ApiKeyCommand::Create(create)) => create.decide(),
            (Some(_), ApiKeyCommand::Create(_)) => Err(ApiKeyError::AlreadyExists),
            (None, ApiKeyCommand::Revoke { .. }) => Err(ApiKeyError::NotFound),
            (Some(_), ApiKeyCommand::Revoke { .. }) if self.revoked => Ok(vec![]),
            (Some(_), ApiKeyCommand::Revoke { at }) => Ok(vec![ApiKeyRevoked { at }.into()]),
        }
    }

    fn apply_event(&mut self, event: ApiKeyEvent) {
        match event {
            ApiKeyEvent::Created(created) => self.created = Some(created),
            ApiKeyEvent::Revoked(_) => self.revoked = true,
        }
    }
}

/// Which network a key reaches: its mode. Test keys reach the sandbox only, live keys WhatsApp only.
pub fn mode_of(network: Network) -> &'static str {
    match network {
        Network::Sandbox => "test",
        Network::Whatsapp => "live",
    }
}

/// True when a scope that was granted covers one that is needed.
pub fn covers(granted: &str, needed: &str) -> bool {
    granted == "*" || granted == needed
}

/// True when the key may touch the session.
pub fn may_touch(session_ids: Option<&[SessionId]>, session: SessionId) -> bool {
    session_ids.is_none_or(|ids| ids.contains(&session))
}

/// The hash under which a key's secret is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(pub Secret);

aggregate!(ApiKey, "api_key", ApiKeyCommand, ApiKeyEvent, ApiKeyError);

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn create() -> CreateApiKey {
        CreateApiKey {
            name: "server".into(),
            network: Network::Sandbox,
            lookup_id: "abc".into(),
            secret_hash: SecretHash(Secret("hash".into())),
            scopes: vec!["*".into()],
            session_ids: None,
            expires_at: Some(at(100)),
            at: at(1),
        }
    }

    fn created() -> ApiKeyEvent {
        create().decide().unwrap().remove(0)
    }

    fn given(events: Vec<ApiKeyEvent>) -> cqrs_es::test::AggregateTestExecutor<ApiKey> {
        TestFramework::<ApiKey>::with(()).given(events)
    }

    #[test]
    fn a_key_is_made_once_and_revoked_once() {
        let revoked = ApiKeyEvent::from(ApiKeyRevoked { at: at(2) });
        given(vec![]).when(ApiKeyCommand::Create(create())).then_expect_events(vec![created()]);
        given(vec![created()])
            .when(ApiKeyCommand::Create(create()))
            .then_expect_error(ApiKeyError::AlreadyExists);
        given(vec![created()])
            .when(ApiKeyCommand::Revoke { at: at(2) })
            .then_expect_events(vec![revoked.clone()]);
        given(vec![created(), revoked]).when(ApiKeyCommand::Revoke { at: at(3) }).then_expect_events(vec![]);
        given(vec![]).when(ApiKeyCommand::Revoke { at: at(2) }).then_expect_error(ApiKeyError::NotFound);
    }

    #[test]
    fn a_key_needs_a_name_and_a_scope() {
        let unnamed = CreateApiKey { name: " ".into(), ..create() };
        given(vec![]).when(ApiKeyCommand::Create(unnamed)).then_expect_error(ApiKeyError::InvalidName);
        let powerless = CreateApiKey { scopes: vec![], ..create() };
        given(vec![]).when(ApiKeyCommand::Create(powerless)).then_expect_error(ApiKeyError::InvalidScopes);
    }

    #[test]
    fn a_key_is_valid_until_it_expires_or_is_revoked() {
        let mut key = ApiKey::default();
        key.apply_event(created());
        assert!(key.valid_at(at(99)).is_some());
        assert!(key.valid_at(at(100)).is_none());
        key.apply_event(ApiKeyRevoked { at: at(2) }.into());
        assert!(key.valid_at(at(3)).is_none());
    }

    #[test]
    fn a_scope_covers_itself_and_the_star_covers_all() {
        assert!(covers("*", "messages:send") && covers("messages:send", "messages:send"));
        assert!(!covers("messages:read", "messages:send"));
    }
}
