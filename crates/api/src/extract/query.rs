use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use crate::{Api, Problem, cursor};

/// Longest page.
pub(crate) const LIMIT_MAX: usize = 200;
const LIMIT_DEFAULT: usize = 50;

/// Query parameters of the right shape; unknown ones are refused.
pub(crate) struct ValidQuery<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for ValidQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Api) -> Result<Self, Problem> {
        Query::<T>::try_from_uri(&parts.uri).map(|Query(value)| Self(value)).map_err(|error| {
            Problem::field(
                "/query",
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string),
            )
        })
    }
}

/// The parameters of every list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Most entries of the page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Reads `limit`.
pub(crate) fn limit(text: Option<&str>) -> Result<usize, Problem> {
    let limit = text.map_or(Ok(LIMIT_DEFAULT), str::parse);
    match limit {
        Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        _ => Err(Problem::field("/query/limit", "expected a number from 1 to 200")),
    }
}

impl PageQuery {
    /// For a list with parameters of its own.
    pub(crate) fn new(limit: Option<String>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// The page's length and the position that it begins behind.
    pub(crate) fn read(&self) -> Result<(usize, Option<String>), Problem> {
        Ok((limit(self.limit.as_deref())?, cursor::decode(self.cursor.as_deref())?))
    }

    /// The page's length and the cursor as it came, for a list that another keeps.
    pub(crate) fn passed_on(self) -> Result<(usize, Option<String>), Problem> {
        Ok((limit(self.limit.as_deref())?, self.cursor))
    }
}
