//! The calling side.

use std::time::Duration;

use serde_json::Value;

use crate::{BODY_LIMIT_BYTES, Clock, NonceSource, SigningKey, sign};

/// How long one call may take in all.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Calls one base address with signed requests. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    base_url: String,
    key: SigningKey,
    clock: Clock,
    nonces: NonceSource,
    http: reqwest::Client,
}

/// What the other side said, whatever its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The JSON body, `null` when it was empty.
    pub body: Value,
    /// Whether the answer repeats an earlier one (`idempotent-replayed: true`).
    pub replayed: bool,
}

/// There was no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not reached, timed out, or broke off.
    #[error("no answer from the other process")]
    Unreachable(#[source] reqwest::Error),
    /// An answer that is not JSON.
    #[error("the other process answered {status} with something that is not JSON")]
    NotJson {
        /// HTTP status.
        status: u16,
    },
    /// An answer beyond the limit of a body.
    #[error("the other process answered with too large a body")]
    TooLarge,
}

impl Client {
    /// `base_url` such as `http://127.0.0.1:8090`; `clock` tells Unix seconds, `nonces` gives random bytes.
    #[must_use]
    pub fn new(
        base_url: impl Into<String>,
        key: SigningKey,
        http: reqwest::Client,
        clock: Clock,
        nonces: NonceSource,
    ) -> Self {
        Self { base_url: base_url.into().trim_end_matches('/').to_owned(), key, clock, nonces, http }
    }

    /// Sends one request and reads the answer. `path` is path and query, already escaped.
    ///
    /// # Errors
    /// [`ClientError`] when there was no answer; any status is an `Ok`.
    pub async fn call(
        &self,
        method: http::Method,
        path: &str,
        body: Option<&Value>,
        extra_headers: &[(&str, &str)],
    ) -> Result<Answer, ClientError> {
        let bytes = body.map(Value::to_string).unwrap_or_default().into_bytes();
        let headers = sign(&self.key, method.as_str(), path, &bytes, (self.clock)(), (self.nonces)());
        let mut request = self.http.request(method, format!("{}{path}", self.base_url)).timeout(TIMEOUT);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for (name, value) in extra_headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header(http::header::CONTENT_TYPE, "application/json").body(bytes);
        }
        let mut response = request.send().await.map_err(ClientError::Unreachable)?;
        let status = response.status().as_u16();
        let replayed = response.headers().get("idempotent-replayed").is_some_and(|value| value == "true");
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(ClientError::Unreachable)? {
            answer.extend_from_slice(&chunk);
            if answer.len() > BODY_LIMIT_BYTES {
                return Err(ClientError::TooLarge);
            }
        }
        let body = match answer.as_slice() {
            [] => Value::Null,
            bytes => serde_json::from_slice(bytes).map_err(|_| ClientError::NotJson { status })?,
        };
        Ok(Answer { status, body, replayed })
    }
}
