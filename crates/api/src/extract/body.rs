use std::time::Duration;

use axum::{
    body::Body as RawBody,
    extract::{FromRequest, OptionalFromRequest, Request},
    http::{HeaderMap, header},
};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Api, Problem};

/// Largest JSON body: 4 MiB.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// How much of a body that is too large is read and thrown away, so that the client gets to see the answer.
const DRAIN_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A JSON body of the right shape, with the bytes it came in.
pub(crate) struct Body<T> {
    pub(crate) value: T,
    pub(crate) raw: Vec<u8>,
}

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _api: &Api) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        match received(request).await? {
            raw if raw.is_empty() => Err(Problem::field("", "a JSON body is needed")),
            raw => Self::parse(raw, is_json),
        }
    }
}

/// Where a body may be left out.
impl<T: DeserializeOwned> OptionalFromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _api: &Api) -> Result<Option<Self>, Problem> {
        let is_json = is_json(request.headers());
        match received(request).await? {
            raw if raw.is_empty() || raw.trim_ascii() == b"null" => Ok(None),
            raw => Self::parse(raw, is_json).map(Some),
        }
    }
}

impl<T: DeserializeOwned> Body<T> {
    fn parse(raw: Vec<u8>, is_json: bool) -> Result<Self, Problem> {
        if !is_json {
            return Err(Problem::new(
                "unsupported_media_type",
                "Send the body with Content-Type: application/json.",
            ));
        }
        let value: Value = serde_json::from_slice(&raw)
            .map_err(|error| Problem::field("", format!("this is not valid JSON: {error}")))?;
        if !value.is_object() {
            return Err(Problem::field("", "expected a JSON object"));
        }
        Ok(Self { value: read_value(value)?, raw })
    }
}

/// Reads a part of a body; an error names its field.
pub(crate) fn read_value<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    // Over the parsed value rather than the bytes: so the path is known inside unions, too.
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (place, detail) = (pointer(error.path()), error.into_inner().to_string());
        // A field that is not there is named by the message only.
        let missing = detail.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        match missing {
            Some(name) => Problem::field(format!("{place}/{name}"), "this field is needed"),
            None => Problem::field(place, detail),
        }
    })
}

async fn received(request: Request) -> Result<Vec<u8>, Problem> {
    match tokio::time::timeout(BODY_TIMEOUT, read(request.into_body())).await {
        Ok(raw) => raw,
        Err(_) => Err(Problem::field("", "the body did not arrive within 30 seconds")),
    }
}

async fn read(mut body: RawBody) -> Result<Vec<u8>, Problem> {
    let (mut raw, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::field("", "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length <= BODY_BYTES_MAX {
            raw.extend_from_slice(&data);
        } else if length > DRAIN_BYTES_MAX {
            break;
        }
    }
    match length <= BODY_BYTES_MAX {
        true => Ok(raw),
        false => Err(Problem::new("payload_too_large", "The body is larger than 4 MiB.")),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// A path of `serde_path_to_error` as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                format!("/{}", key.replace('~', "~0").replace('/', "~1"))
            },
            Segment::Unknown => String::new(),
        })
        .collect()
}
