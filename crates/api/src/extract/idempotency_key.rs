use axum::{extract::FromRequestParts, http::request::Parts};
use utoipa::{
    IntoParams,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
    },
};
use waxwing_app::commands::Idempotency;

use crate::{Api, Problem};

/// Longest key, in characters.
pub(crate) const LEN_MAX: usize = 255;

/// The header `Idempotency-Key`, where there is one.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl IdempotencyKey {
    /// The key with the route and the body that it belongs to.
    pub(crate) fn of(self, route: &'static str, raw: &[u8]) -> Option<Idempotency> {
        self.0.map(|key| Idempotency::new(key, route, raw))
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(LEN_MAX))
            .pattern(Some("^[!-~]+$"))
            .build();
        vec![
            ParameterBuilder::new()
                .name("Idempotency-Key")
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(
                    "Makes it safe to repeat this request for 24 hours: a repetition gets the first answer, less any secret.",
                ))
                .schema(Some(schema))
                .build(),
        ]
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
