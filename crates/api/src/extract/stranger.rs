use std::net::IpAddr;

use axum::{extract::FromRequestParts, http::request::Parts};
use waxwing_app::execute::Cause;

use super::anonymous_cause;
use crate::{Api, Problem, client_address, guesses::Try};

/// Who sends a request that needs no credential.
pub(crate) struct Stranger {
    /// Who caused what follows.
    pub(crate) cause: Cause,
    /// From where.
    pub(crate) address: Option<IpAddr>,
}

impl Stranger {
    /// Somebody who tries a secret: that of the user with this e-mail address, or a token.
    pub(crate) fn guess<'a>(&self, email: Option<&'a str>) -> Try<'a> {
        Try { email, address: self.address }
    }
}

impl FromRequestParts<Api> for Stranger {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let address = client_address::of(api, parts);
        Ok(Self { cause: anonymous_cause(&parts.headers, address), address })
    }
}
