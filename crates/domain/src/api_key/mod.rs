//! A key with which programs call the API.

mod command;
mod error;
mod event;

pub use command::{ApiKeyCommand, CreateApiKey, RotateApiKey};
pub use error::ApiKeyError;
pub use event::{ApiKeyCreated, ApiKeyEvent, ApiKeyRevoked, ApiKeyRotated};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Network, Secret, SessionId, account::least_role};

/// Most scopes of one key.
pub const SCOPES_MAX: usize = 64;

/// Most sessions that one key names.
pub const SESSIONS_MAX: usize = 1_000;
/// Most ranges of addresses of one key.
pub const IP_RANGES_MAX: usize = 64;
/// Most requests in a minute that a key's own limit can allow.
pub const RATE_LIMIT_PER_MIN_MAX: u32 = 1_000_000;

/// True for `*`, `messages:send`, and each resource with `:read` or `:write`.
pub fn is_scope(scope: &str) -> bool {
    least_role(scope).is_some()
}

/// State of one key: what a check needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    created: Option<ApiKeyCreated>,
    rotated_at: Option<Timestamp>,
    previous: Option<Previous>,
    revoked: bool,
}

/// The secret from before the last rotation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Previous {
    lookup_id: String,
    secret_hash: SecretHash,
    until: Timestamp,
}

impl ApiKey {
    /// What the key is and may do, with its current secret, unless it was revoked or its time is over.
    pub fn valid_at(&self, now: Timestamp) -> Option<&ApiKeyCreated> {
        self.active().filter(|created| created.expires_at.is_none_or(|end| now < end))
    }

    /// The same, also when its time is over.
    pub fn active(&self) -> Option<&ApiKeyCreated> {
        self.created.as_ref().filter(|_| !self.revoked)
    }

    /// When it got its current secret, if not when it was made.
    pub fn rotated_at(&self) -> Option<Timestamp> {
        self.rotated_at
    }

    /// The hash of the secret that belongs to this lookup id: the current one, or for a while the one before.
    pub fn secret_hash_at(&self, lookup_id: &str, now: Timestamp) -> Option<&SecretHash> {
        let created = self.valid_at(now)?;
        let previous = self.previous.as_ref().filter(|previous| now < previous.until);
        let previous = previous.map(|previous| (&previous.lookup_id, &previous.secret_hash));
        let all = [Some((&created.lookup_id, &created.secret_hash)), previous];
        all.into_iter().flatten().find(|(known, _)| *known == lookup_id).map(|(_, hash)| hash)
    }

    /// Which events follow from the command.
    pub fn decide(&self, command: ApiKeyCommand) -> Result<Vec<ApiKeyEvent>, ApiKeyError> {
        match (&self.created, command) {
            (None, ApiKeyCommand::Create(create)) => create.decide(),
            (Some(_), ApiKeyCommand::Create(_)) => Err(ApiKeyError::AlreadyExists),
            (None, _) => Err(ApiKeyError::NotFound),
            (Some(_), ApiKeyCommand::Rotate(_)) if self.revoked => Err(ApiKeyError::NotFound),
            (Some(_), ApiKeyCommand::Rotate(rotate)) => {
                let RotateApiKey { lookup_id, secret_hash, previous_until, at } = rotate;
                Ok(vec![ApiKeyRotated { lookup_id, secret_hash, previous_until, at }.into()])
            },
            (Some(_), ApiKeyCommand::Revoke { .. }) if self.revoked => Ok(vec![]),
            (Some(_), ApiKeyCommand::Revoke { at }) => Ok(vec![ApiKeyRevoked { at }.into()]),
        }
    }

    fn apply_event(&mut self, event: ApiKeyEvent) {
        match event {
            ApiKeyEvent::Created(created) => self.created = Some(created),
            ApiKeyEvent::Rotated(rotated) => {
                let Some(created) = &mut self.created else { return };
                self.previous = Some(Previous {
                    lookup_id: std::mem::replace(&mut created.lookup_id, rotated.lookup_id),
                    secret_hash: std::mem::replace(&mut created.secret_hash, rotated.secret_hash),
                    until: rotated.previous_until,
                });
                self.rotated_at = Some(rotated.at);
            },
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
            ip_allow_list: Some(vec!["203.0.113.0/24".into()]),
            expires_at: Some(at(100)),
            rate_limit_per_min: Some(60),
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
    fn a_key_is_made_only_if_it_can_work() {
        let refused = |change: &dyn Fn(&mut CreateApiKey), error| {
            let mut wrong = create();
            change(&mut wrong);
            given(vec![]).when(ApiKeyCommand::Create(wrong)).then_expect_error(error);
        };
        for scope in ["", "messages", "messages:fly", "cars:read", "**", "messages:read:x"] {
            refused(&|key| key.scopes = vec!["*".into(), scope.into()], ApiKeyError::UnknownScope);
        }
        refused(&|key| key.expires_at = Some(at(1)), ApiKeyError::ExpiresInThePast);
        refused(&|key| key.ip_allow_list = Some(vec![]), ApiKeyError::InvalidIpAllowList);
        refused(&|key| key.rate_limit_per_min = Some(0), ApiKeyError::InvalidRateLimit);
        let sessions = (0..=SESSIONS_MAX as u64).map(|ms| SessionId::new(ms, [0; 10])).collect();
        let many = CreateApiKey { session_ids: Some(sessions), ..create() };
        given(vec![]).when(ApiKeyCommand::Create(many)).then_expect_error(ApiKeyError::TooManySessions);
    }

    #[test]
    fn a_rotated_key_has_two_secrets_for_a_while_and_one_when_rotated_again() {
        let hash = |text: &str| SecretHash(Secret(text.into()));
        let rotate = |lookup_id: &str, at_s, until_s| RotateApiKey {
            lookup_id: lookup_id.into(),
            secret_hash: hash(lookup_id),
            previous_until: at(until_s),
            at: at(at_s),
        };
        let mut key = ApiKey::default();
        key.apply_event(created());
        for event in key.decide(ApiKeyCommand::Rotate(rotate("def", 10, 20))).unwrap() {
            key.apply_event(event);
        }
        assert_eq!(key.secret_hash_at("abc", at(19)), Some(&hash("hash")));
        assert_eq!(key.secret_hash_at("abc", at(20)), None);
        assert_eq!(key.secret_hash_at("def", at(20)), Some(&hash("def")));
        assert_eq!(key.secret_hash_at("def", at(100)), None, "its time is over");
        for event in key.decide(ApiKeyCommand::Rotate(rotate("ghi", 11, 20))).unwrap() {
            key.apply_event(event);
        }
        assert_eq!(key.secret_hash_at("abc", at(12)), None, "only the last one overlaps");
        assert!(key.secret_hash_at("def", at(12)).is_some() && key.secret_hash_at("ghi", at(12)).is_some());
        key.apply_event(ApiKeyRevoked { at: at(13) }.into());
        assert_eq!(key.secret_hash_at("ghi", at(13)), None);
        assert_eq!(key.decide(ApiKeyCommand::Rotate(rotate("jkl", 14, 20))), Err(ApiKeyError::NotFound));
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
