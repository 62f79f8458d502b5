//! RFC 9457: the one shape of every error.

mod accounts;
mod members;
mod messages;
mod sandbox;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use waxwing_app::{
    commands::{
        CreateSessionError, CreateWebhookError, DeleteWebhookError, IdempotencyError, SendMessageError,
        SessionWishError,
    },
    ports::{GatewayError, PairingCodeError, PortError},
};
use waxwing_domain::{session::SessionError, webhook_endpoint::WebhookEndpointError};

use crate::request_id;

/// A kind of problem: code, status, title, and what to do about it. The pages under `/api/docs/problems/` are made from
/// these.
pub(crate) type Kind = (&'static str, StatusCode, &'static str, &'static str);

/// The kind of this code.
pub(crate) fn kind(code: &str) -> Option<&'static Kind> {
    KINDS
        .iter()
        .chain(accounts::KINDS)
        .chain(members::KINDS)
        .chain(sandbox::KINDS)
        .find(|(known, ..)| *known == code)
}

const KINDS: &[Kind] = &[
    (
        "unauthorized",
        StatusCode::UNAUTHORIZED,
        "A valid credential is needed",
        "Send `Authorization: Bearer <API key or access token>` or `X-API-Key: <API key>`. An access token is good for 15 minutes and ends with its sign-in. The key may be unknown, revoked, expired, or of the other mode: test keys reach the sandbox only, live keys WhatsApp only.",
    ),
    (
        "forbidden",
        StatusCode::FORBIDDEN,
        "The credential may not do this",
        "The detail names the scope that is needed: make a key that has it, or `*`. Or the key may not be used from this address.",
    ),
    (
        "not_found",
        StatusCode::NOT_FOUND,
        "There is no such thing",
        "Nothing here has this address, or it belongs to another account.",
    ),
    (
        "method_not_allowed",
        StatusCode::METHOD_NOT_ALLOWED,
        "The address does not take this method",
        "The header `Allow` names those that it takes.",
    ),
    (
        "feature_off",
        StatusCode::FORBIDDEN,
        "The operator switched this off",
        "The detail names the feature. What was accepted before goes on; ask the operator when it is on again.",
    ),
    (
        "session_exists",
        StatusCode::CONFLICT,
        "The name is taken",
        "Names of sessions are unique in an account. Choose another, or delete the session that has it.",
    ),
    (
        "session_logged_out",
        StatusCode::CONFLICT,
        "The session is logged out",
        "Start the session and let a phone scan its code before sending.",
    ),
    (
        "already_sending",
        StatusCode::CONFLICT,
        "The message was sent",
        "It cannot be withdrawn any more. Take it back for everyone with `DELETE /messages/{id}`.",
    ),
    (
        "not_sent",
        StatusCode::CONFLICT,
        "The message was not sent",
        "Only what WhatsApp has can be changed, taken back or reacted to. Wait until its status is `sent`.",
    ),
    (
        "message_deleted",
        StatusCode::CONFLICT,
        "The message was deleted",
        "It was taken back, and nothing can be done to it any more.",
    ),
    (
        "not_changeable",
        StatusCode::CONFLICT,
        "The message cannot be changed like this",
        "A text that the session sent can be edited, and a message that it sent can be taken back.",
    ),
    (
        "not_pairing",
        StatusCode::CONFLICT,
        "There is no code to scan",
        "A session has a code while its status is `pairing`. Start it, or wait a moment.",
    ),
    (
        "pairing_refused",
        StatusCode::CONFLICT,
        "WhatsApp gives no code now",
        "The detail is WhatsApp's reason. Check the number; after several codes in a row WhatsApp makes a number wait for a while.",
    ),
    (
        "idempotency_conflict",
        StatusCode::CONFLICT,
        "The idempotency key was used with another body",
        "Use a new `Idempotency-Key` for each new request, and the same one only to repeat it.",
    ),
    (
        "too_many_sessions",
        StatusCode::CONFLICT,
        "The account has the most sessions it can have",
        "Delete one that is no longer needed, or ask the operator for more.",
    ),
    (
        "too_many_webhooks",
        StatusCode::CONFLICT,
        "The account has the most webhooks it can have",
        "Delete one that is no longer needed.",
    ),
    ("conflict", StatusCode::CONFLICT, "Something else changed at the same time", "Try again."),
    (
        "payload_too_large",
        StatusCode::PAYLOAD_TOO_LARGE,
        "The body is too large",
        "A JSON body has 4 MiB at most.",
    ),
    (
        "unsupported_media_type",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "The body is not JSON",
        "Send `Content-Type: application/json`.",
    ),
    (
        "validation_failed",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The request is not valid",
        "`errors` names each field by a JSON pointer and says what was expected.",
    ),
    (
        "rate_limited",
        StatusCode::TOO_MANY_REQUESTS,
        "Too many requests",
        "Wait for the seconds in `Retry-After`. `RateLimit-Remaining` says beforehand how many are left.",
    ),
    (
        "phone_not_found",
        StatusCode::NOT_FOUND,
        "There is no such phone in the sandbox",
        "Make it with `POST /sandbox/phones`. Each account has a network of its own.",
    ),
    (
        "invalid_qr",
        StatusCode::UNPROCESSABLE_ENTITY,
        "This is not the code of a session",
        "Pass on `code` of `GET /sessions/{id}/qr` as it is.",
    ),
    (
        "qr_expired",
        StatusCode::CONFLICT,
        "The code is no longer shown",
        "Codes change while a session waits. Get the current one and scan again.",
    ),
    (
        "companion_limit",
        StatusCode::CONFLICT,
        "The phone has as many linked devices as it can have",
        "Log one of its sessions out first. WhatsApp allows four.",
    ),
    (
        "phone_limit",
        StatusCode::CONFLICT,
        "The network has as many phones as it can have",
        "Use the phones that are there: `GET /sandbox/phones`.",
    ),
    (
        "network_limit",
        StatusCode::CONFLICT,
        "The sandbox has as many networks as it can have",
        "The operator can run another sandbox.",
    ),
    (
        "fault_limit",
        StatusCode::CONFLICT,
        "The network has as many faults as it can have",
        "Remove them with `DELETE /sandbox/faults`.",
    ),
    (
        "not_supported",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The sandbox of this version cannot do this",
        "The detail says what it can do.",
    ),
    (
        "protocol_error",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The network could not do this",
        "The detail says what was in the way, such as a device that is not there any more.",
    ),
    (
        "internal",
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something went wrong here",
        "It is not your request. Tell the operator the `request_id`.",
    ),
    (
        "unavailable",
        StatusCode::SERVICE_UNAVAILABLE,
        "The service cannot do this right now",
        "Try again in a moment. With an `Idempotency-Key` that is safe.",
    ),
];

/// Most characters of a pointer or a detail about a field.
const QUOTE_CHARS_MAX: usize = 500;

/// An error as every operation answers it. Boxed: results carry it through every layer.
#[derive(Debug, Clone)]
pub struct Problem(Box<ProblemBody>);

/// An error as every operation answers it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// Address of the page that explains this kind of problem.
    #[schema(example = "/api/docs/problems/validation_failed")]
    r#type: String,
    /// The kind in a few words.
    title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// This very case, for people.
    detail: String,
    /// The kind, for programs.
    #[schema(example = "validation_failed")]
    code: String,
    /// Which fields are wrong.
    errors: Vec<FieldError>,
    /// Under which the request stands in the logs.
    #[schema(example = "req_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    request_id: String,
    /// When it may be tried again, in the header.
    #[serde(skip)]
    retry_after_s: u32,
}

impl ProblemBody {
    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }
}

/// A field that is wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// JSON pointer to the field; for a parameter, its name behind `/query` or `/path`.
    #[schema(example = "/to")]
    pointer: String,
    /// What was expected.
    detail: String,
}

impl Problem {
    /// A problem of a kind of the table.
    pub(crate) fn new(code: &str, detail: impl Into<String>) -> Self {
        let (status, title) = kind(code)
            .map_or((StatusCode::INTERNAL_SERVER_ERROR, ""), |(_, status, title, _)| (*status, *title));
        Self(Box::new(ProblemBody {
            r#type: format!("/api/docs/problems/{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_owned(),
            errors: Vec::new(),
            request_id: String::new(),
            retry_after_s: 1,
        }))
    }

    /// A field is wrong.
    pub(crate) fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (shortened(pointer.into()), shortened(detail.into()));
        let mut problem = Self::new("validation_failed", format!("{pointer}: {detail}"));
        problem.0.errors.push(FieldError { pointer, detail });
        problem
    }

    /// Too much was asked for; in so many seconds there is room again.
    pub(crate) fn rate_limited(detail: String, retry_after_s: u32) -> Self {
        let mut problem = Self::new("rate_limited", detail);
        problem.0.retry_after_s = retry_after_s;
        problem
    }

    /// The same problem, said of a field.
    pub(crate) fn at(mut self, pointer: &str) -> Self {
        let detail = self.0.detail.clone();
        self.0.errors.push(FieldError { pointer: pointer.to_owned(), detail });
        self
    }

    /// What it says, to stand in an answer about several things.
    pub(crate) fn told(mut self) -> ProblemBody {
        self.0.request_id = request_id::current();
        *self.0
    }

    /// Its kind, for programs.
    pub(crate) fn code(&self) -> &str {
        &self.0.code
    }

    /// Whether it says which field is wrong.
    pub(crate) fn names_a_field(&self) -> bool {
        !self.0.errors.is_empty()
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new("not_found", format!("There is no such {what}."))
    }
}

/// What a problem quotes of a request is a part of it at most.
fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(QUOTE_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        self.0.request_id = request_id::current();
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = HeaderValue::from(self.0.retry_after_s);
        let mut response = (status, Json(self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, retry_after);
        }
        response
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        // The cause is logged here, where it is handled, and never shown.
        match error {
            PortError::Conflict(_) => {
                Self::new("conflict", "Something else changed at the same time; try again.")
            },
            PortError::NotFound(_) | PortError::Erased(_) => Self::not_found("thing"),
            PortError::Throttled(_) | PortError::Unavailable(_) => {
                tracing::warn!(%error, request_id = request_id::current(), "the engine is unavailable");
                Self::new("unavailable", "The request was not carried out; try again in a moment.")
            },
            PortError::Corrupt(_) => {
                tracing::error!(%error, request_id = request_id::current(), "stored data cannot be read");
                Self::new("internal", "Something went wrong here.")
            },
        }
    }
}

impl From<GatewayError> for Problem {
    fn from(error: GatewayError) -> Self {
        tracing::warn!(%error, request_id = request_id::current(), "the gateway is unavailable");
        Self::new("unavailable", "The WhatsApp side cannot be reached right now; try again in a moment.")
    }
}

impl From<PairingCodeError> for Problem {
    fn from(error: PairingCodeError) -> Self {
        match error {
            PairingCodeError::NotPairing => {
                Self::new("not_pairing", "The session does not wait for a phone right now.")
            },
            PairingCodeError::Refused(reason) => Self::new("pairing_refused", reason),
            PairingCodeError::Gateway(error) => error.into(),
        }
    }
}

impl From<IdempotencyError> for Problem {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Conflict => {
                Self::new("idempotency_conflict", "This Idempotency-Key was used before with another body.")
            },
            IdempotencyError::Port(error) => error.into(),
        }
    }
}

impl From<SendMessageError> for Problem {
    fn from(error: SendMessageError) -> Self {
        match error {
            SendMessageError::NoSuchSession => Self::not_found("session").at("/session_id"),
            SendMessageError::SessionLoggedOut => Self::new("session_logged_out", error.to_string()),
            SendMessageError::ExpiresInThePast => Self::field("/expires_at", "expected a time in the future"),
            SendMessageError::NoSuchReply => Self::not_found("message").at("/reply_to"),
            SendMessageError::ReplyElsewhere => Self::field("/reply_to", error.to_string()),
            SendMessageError::Message(error) => error.into(),
            SendMessageError::Idempotency(error) => error.into(),
            SendMessageError::Port(error) => error.into(),
        }
    }
}

impl From<CreateSessionError> for Problem {
    fn from(error: CreateSessionError) -> Self {
        match error {
            error @ CreateSessionError::TooMany(_) => Self::new("too_many_sessions", error.to_string()),
            CreateSessionError::NameTaken => Self::new("session_exists", error.to_string()).at("/name"),
            CreateSessionError::Session(SessionError::InvalidName) => {
                Self::field("/name", SessionError::InvalidName.to_string())
            },
            CreateSessionError::Session(SessionError::InvalidDeviceName) => {
                Self::field("/settings/device_name", SessionError::InvalidDeviceName.to_string())
            },
            CreateSessionError::Session(error @ SessionError::HiddenProxyPassword) => {
                Self::field("/settings/proxy", error.to_string())
            },
            CreateSessionError::Session(error) => Self::new("conflict", error.to_string()),
            CreateSessionError::Idempotency(error) => error.into(),
            CreateSessionError::Port(error) => error.into(),
        }
    }
}

impl From<SessionWishError> for Problem {
    fn from(error: SessionWishError) -> Self {
        match error {
            SessionWishError::Session(error @ SessionError::InvalidDeviceName) => {
                Self::field("/settings/device_name", error.to_string())
            },
            SessionWishError::Session(error @ SessionError::HiddenProxyPassword) => {
                Self::field("/settings/proxy", error.to_string())
            },
            SessionWishError::Session(_) => Self::not_found("session"),
            SessionWishError::Port(error) => error.into(),
        }
    }
}

impl From<CreateWebhookError> for Problem {
    fn from(error: CreateWebhookError) -> Self {
        let detail = error.to_string();
        match error {
            CreateWebhookError::NoSuchSession(_) => Self::not_found("session").at("/session_ids"),
            CreateWebhookError::TooMany(_) => Self::new("too_many_webhooks", detail),
            CreateWebhookError::Webhook(error) => match error {
                WebhookEndpointError::UrlTooLong => Self::field("/url", detail),
                WebhookEndpointError::InvalidEvents => Self::field("/events", detail),
                WebhookEndpointError::InvalidSessions => Self::field("/session_ids", detail),
                WebhookEndpointError::DescriptionTooLong => Self::field("/description", detail),
                WebhookEndpointError::AlreadyExists | WebhookEndpointError::NotFound => {
                    Self::new("conflict", detail)
                },
            },
            CreateWebhookError::Idempotency(error) => error.into(),
            CreateWebhookError::Port(error) => error.into(),
        }
    }
}

impl From<DeleteWebhookError> for Problem {
    fn from(error: DeleteWebhookError) -> Self {
        match error {
            DeleteWebhookError::Webhook(_) => Self::not_found("webhook"),
            DeleteWebhookError::Port(error) => error.into(),
        }
    }
}
