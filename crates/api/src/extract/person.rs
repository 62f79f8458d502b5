use std::net::IpAddr;

use axum::{extract::FromRequestParts, http::request::Parts};
use waxwing_app::{commands::Principal, execute::Cause};
use waxwing_domain::UserId;

use super::{Actor, AnyScope};
use crate::{Api, Problem};

/// A user who is signed in.
pub(crate) struct Person {
    /// Who.
    pub(crate) id: UserId,
    /// Who caused what follows.
    pub(crate) cause: Cause,
    /// From where.
    pub(crate) address: Option<IpAddr>,
    /// In which account.
    pub(crate) actor: Actor<AnyScope>,
}

impl FromRequestParts<Api> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let actor = Actor::<AnyScope>::from_request_parts(parts, api).await?;
        match actor.caller().principal {
            Principal::User { id, .. } => {
                Ok(Self { id, cause: actor.cause(), address: actor.address(), actor })
            },
            Principal::ApiKey { .. } => Err(Problem::new("no_user", "An API key is not a user.")),
        }
    }
}
