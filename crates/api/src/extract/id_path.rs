use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use serde_json::json;
use utoipa::{
    IntoParams,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
    },
};
use waxwing_domain::PhoneNumber;

use crate::{Api, Problem};

async fn text(parts: &mut Parts, api: &Api) -> Result<String, Problem> {
    let path = Path::<String>::from_request_parts(parts, api).await;
    path.map(|Path(text)| text).map_err(|_| Problem::field("/path", "the address cannot be read"))
}

/// An id in the address.
pub(crate) struct IdPath<T>(pub(crate) T);

impl<T: FromStr<Err: ToString>> FromRequestParts<Api> for IdPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let id = text(parts, api).await?.parse::<T>();
        id.map(Self).map_err(|error| Problem::field("/path/id", error.to_string()))
    }
}

/// A phone number in the address: with `+`, `%2B`, or bare digits.
pub(crate) struct PhonePath(pub(crate) PhoneNumber);

impl IntoParams for PhonePath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            ParameterBuilder::new()
                .name("number")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("The phone's number, with or without a leading `+`."))
                .schema(Some(
                    ObjectBuilder::new().schema_type(Type::String).examples([json!("+15550001111")]),
                ))
                .build(),
        ]
    }
}

impl FromRequestParts<Api> for PhonePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        // Some clients turn a plus sign in a path into a space.
        let text = text(parts, api).await?;
        let number = PhoneNumber::parse(text.trim());
        number.map(Self).map_err(|error| Problem::field("/path/number", error.to_string()))
    }
}
