use axum::{extract::FromRequestParts, http::request::Parts};
use waxwing_app::queries;

use super::{Actor, actor::Scope};
use crate::{Api, Problem};

/// Who calls, known to have the scope `S` in the operator's account: the first one.
pub(crate) struct Operator<S>(pub(crate) Actor<S>);

impl<S: Scope> FromRequestParts<Api> for Operator<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let actor = Actor::<S>::from_request_parts(parts, api).await?;
        match queries::is_operator(&*api.records, actor.account()).await? {
            true => Ok(Self(actor)),
            false => Err(Problem::new("forbidden", "This is for the operator's account only.")),
        }
    }
}
