use std::{marker::PhantomData, net::IpAddr};

use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::{HeaderMap, header, request::Parts},
};
use waxwing_app::{commands::Caller, execute::Cause};
use waxwing_domain::{AccountId, SessionId};

use crate::{Api, Problem, client_address, rate_limit, request_id};

/// A scope, as a type, so that a handler names what it needs in its signature.
pub(crate) trait Scope: Send + Sync {
    const NAME: &'static str;

    /// True when the caller has it.
    fn is_granted(caller: &Caller) -> bool {
        caller.may(Self::NAME)
    }

    /// # Errors
    /// 403 when the caller has not got it.
    fn check(caller: &Caller) -> Result<(), Problem> {
        match Self::is_granted(caller) {
            true => Ok(()),
            false => Err(Problem::new("forbidden", format!("The scope {} is needed.", Self::NAME))),
        }
    }
}

/// What every caller may do.
pub(crate) struct AnyScope;

impl Scope for AnyScope {
    const NAME: &'static str = "";

    fn is_granted(_: &Caller) -> bool {
        true
    }
}

macro_rules! scopes {
    ($($type:ident = $name:literal),+ $(,)?) => {$(
        #[doc = concat!("`", $name, "`")]
        pub(crate) struct $type;
        impl Scope for $type {
            const NAME: &'static str = $name;
        }
    )+

        #[cfg(test)]
        const SCOPES: &[&str] = &[$($name),+];
    };
}

scopes! {
    AccountRead = "account:read",
    AccountWrite = "account:write",
    AdminRead = "admin:read",
    AdminWrite = "admin:write",
    ApiKeysRead = "api_keys:read",
    ApiKeysWrite = "api_keys:write",
    AuditRead = "audit:read",
    MembersRead = "members:read",
    MembersWrite = "members:write",
    MessagesRead = "messages:read",
    MessagesSend = "messages:send",
    MetricsRead = "metrics:read",
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
    address: Option<IpAddr>,
    trace_id: Option<String>,
    scope: PhantomData<S>,
}

impl<S> Actor<S> {
    /// The tenant.
    pub(crate) fn account(&self) -> AccountId {
        self.caller.account
    }

    /// Who caused what follows.
    pub(crate) fn cause(&self) -> Cause {
        let (actor, request_id) = (self.caller.id(), Some(request_id::current()));
        Cause { actor, request_id, trace_id: self.trace_id.clone(), address: self.address }
    }

    /// From where.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Who it is.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// True when the credential may touch the session.
    pub(crate) fn may_touch(&self, session: SessionId) -> bool {
        self.caller.may_touch(session)
    }

    /// True when the credential may touch each of these sessions, or all there are when `None`.
    pub(crate) fn may_touch_each(&self, sessions: Option<&[SessionId]>) -> bool {
        let all = || self.caller.may_touch_all();
        sessions.map_or_else(all, |ids| ids.iter().all(|id| self.may_touch(*id)))
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
        let address = client_address::of(api, parts);
        if !caller.may_come_from(address) {
            return Err(Problem::new("forbidden", "The credential may not be used from this address."));
        }
        let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        rate_limit::count(api, &caller, &parts.method, path).await?;
        S::check(&caller)?;
        Ok(Self { caller, address, trace_id: trace_id(&parts.headers), scope: PhantomData })
    }
}

/// The cause of a request whose sender is nobody yet.
pub(super) fn anonymous_cause(headers: &HeaderMap, address: Option<IpAddr>) -> Cause {
    let (actor, request_id) = ("anonymous".to_owned(), Some(request_id::current()));
    Cause { actor, request_id, trace_id: trace_id(headers), address }
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

/// The trace that the request is part of, as 32 hexadecimal digits: of `traceparent` (W3C Trace Context), else of
/// `X-Amzn-Trace-Id` (`Root=1-5759e988-bd862e3fe1be46a994272793`, AWS X-Ray).
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_trace = |trace: &str| {
        trace.len() == 32
            && trace.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && trace.bytes().any(|byte| byte != b'0')
    };
    let w3c = text("traceparent").and_then(|value| value.split('-').nth(1)).map(str::to_owned);
    let of_aws = || {
        let root =
            text("x-amzn-trace-id")?.split(';').find_map(|part| part.trim().strip_prefix("Root=1-"))?;
        Some(root.replace('-', ""))
    };
    w3c.filter(|trace| is_trace(trace)).or_else(|| of_aws().filter(|trace| is_trace(trace)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_can_be_given_to_a_key() {
        assert!(SCOPES.iter().all(|scope| waxwing_domain::api_key::is_scope(scope)), "{SCOPES:?}");
    }

    #[test]
    fn a_trace_is_read_from_either_header_and_from_nothing_else() {
        let trace = |name: &'static str, value: &'static str| {
            trace_id(&HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]))
        };
        let known = "5759e988bd862e3fe1be46a994272793".to_owned();
        assert_eq!(
            trace("traceparent", "00-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-01"),
            Some(known.clone())
        );
        assert_eq!(
            trace("x-amzn-trace-id", "Self=1-2-3;Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"),
            Some(known)
        );
        for value in ["", "00-zz-1-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            assert_eq!(trace("traceparent", value), None, "{value}");
        }
        assert_eq!(trace("x-amzn-trace-id", "Root=1-nonsense"), None);
    }
}
