use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use waxwing_domain::{AccountId, Feature};

use crate::{Api, Problem};

/// A feature in the address.
pub(crate) struct FeaturePath(pub(crate) Feature);

/// A feature of an account.
pub(crate) struct AccountFeaturePath {
    /// Of which account.
    pub(crate) account: AccountId,
    /// Which.
    pub(crate) feature: Feature,
}

fn feature(name: &str) -> Result<Feature, Problem> {
    Feature::named(name).ok_or_else(|| Problem::not_found("feature"))
}

impl FromRequestParts<Api> for FeaturePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, api).await;
        feature(&path.map_err(|_| Problem::not_found("feature"))?).map(Self)
    }
}

impl FromRequestParts<Api> for AccountFeaturePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, api).await;
        let Path((id, name)) = path.map_err(|_| Problem::not_found("feature"))?;
        let account = id
            .parse()
            .map_err(|error: waxwing_domain::ids::IdError| Problem::field("/path/id", error.to_string()))?;
        Ok(Self { account, feature: feature(&name)? })
    }
}
