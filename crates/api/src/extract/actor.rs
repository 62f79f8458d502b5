use std::marker::PhantomData;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use waxwing_app::{commands::Caller, execute::Cause};
use waxwing_domain::{AccountId, SessionId};

use crate::{Api, Problem, rate_limit, request_id};

/// A scope, as a type, so that a handler names what it needs in its signature.
pub(crate) trait Scope: Send + Sync {
    const NAME: &'static str;
}

macro_rules! scopes {
    ($($type:ident = $name:literal),+ $(,)?) => {$(
        #[doc = concat!("`", $name, "`")]
        pub(crate) struct $type;
        impl Scope for $type {
            const NAME: &'static str = $name;
        }
    )+};
}

scopes! {
    MessagesRead = "messages:read",
    MessagesSend = "messages:send",
    SandboxRead = "sandbox:read",
    SandboxWrite = "sandbox:write",
    SessionsRead = "sessions:read",
    SessionsWrite = "sessions:write",
    WebhooksRead = "webhooks:read",
    WebhooksWrite = "webhooks:write",
}

/// Who calls, known to have the scope `S`.
pub(crate) struct Actor<S> {
    caller: Caller,
    scope: PhantomData<S>,
}

impl<S> Actor<S> {
    /// The tenant.
    pub(crate) fn account(&self) -> AccountId {
        self.caller.account
    }

    /// Who caused what follows.
    pub(crate) fn cause(&self) -> Cause {
        Cause { actor: self.caller.key.to_string(), request_id: Some(request_id::current()), trace_id: None }
    }

    /// True when the credential may touch the session.
    pub(crate) fn may_touch(&self, session: SessionId) -> bool {
        self.caller.may_touch(session)
    }

    /// A session that the credential may not touch looks like one that is not there.
    pub(crate) fn session(&self, session: SessionId) -> Result<SessionId, Problem> {
        match self.may_touch(session) {
            true => Ok(session),
            false => Err(Problem::not_found("session")),
        }
    }
}

impl<S: Scope> FromRequestParts<Api> for Actor<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let credential = credential(&parts.headers)
            .ok_or_else(|| Problem::new("unauthorized", "The credential is missing or not valid."))?;
        let caller = api.commands.authenticate(credential).await?;
        rate_limit::count(api, caller.account)?;
        match caller.may(S::NAME) {
            true => Ok(Self { caller, scope: PhantomData }),
            false => Err(Problem::new("forbidden", format!("The scope {} is needed.", S::NAME))),
        }
    }
}

/// `Authorization: Bearer …`, or `X-API-Key`.
fn credential(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, credential) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
    });
    bearer.or_else(|| text("x-api-key")).filter(|credential| !credential.is_empty())
}
