use axum::{extract::FromRequestParts, http::request::Parts};
use waxwing_app::{
    execute::{Cause, OPERATOR},
    queries,
};
use waxwing_domain::AccountId;

use super::{Actor, actor::Scope};
use crate::{Api, Problem};

/// Who calls, known to have the scope `S` in the operator's account: the first one.
pub(crate) struct Operator<S>(pub(crate) Actor<S>);

impl<S> Operator<S> {
    /// Who caused what follows in this account: somebody else's is told that it was the operator, and neither who nor from
    /// where.
    pub(crate) fn cause_in(&self, account: AccountId) -> Cause {
        let cause = self.0.cause();
        match account == self.0.account() {
            true => cause,
            false => Cause { actor: format!("{OPERATOR}{}", cause.actor), ..cause },
        }
    }
}

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
