use axum::{extract::FromRequestParts, http::request::Parts};
use waxwing_app::commands::Idempotency;

use crate::{Api, Problem};

/// Longest key, in characters.
const LEN_MAX: usize = 255;

/// The header `Idempotency-Key`, where there is one.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl IdempotencyKey {
    /// The key with the route and the body that it belongs to.
    pub(crate) fn of(self, route: &'static str, raw: &[u8]) -> Option<Idempotency> {
        self.0.map(|key| Idempotency::new(key, route, raw))
    }
}

impl FromRequestParts<Api> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Api) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let key = value.to_str().ok().filter(|key| (1..=LEN_MAX).contains(&key.len()));
        match key.filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic())) {
            Some(key) => Ok(Self(Some(key.to_owned()))),
            None => {
                Err(Problem::field("/header/Idempotency-Key", "expected 1 to 255 visible ASCII characters"))
            },
        }
    }
}
