//! The HTTP side: `POST /mms/{kind}/{hash}` to upload, `GET /o1/v/{name}` to download, whole or in part.
//! Status codes as clients tell them apart: 401 for a permission that is over, 404 and 410 for a file that is not
//! there (any more).

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Found, find, path, permitted, store};
use crate::engine::Engine;
use crate::error::Failure;
use crate::limits;
use crate::store::Query as _;

/// A client that does not finish its upload in this time makes room for another one.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);

pub(crate) fn routes() -> Router<Engine> {
    Router::new().route("/mms/{kind}/{hash}", post(upload)).route("/o1/v/{name}", get(download))
}

#[derive(Deserialize)]
struct UploadParams {
    auth: String,
    /// The client asks whether the file is here already.
    resume: Option<String>,
    /// A part of a file: never, because we never say that we have the beginning.
    file_offset: Option<String>,
}

/// What an upload comes to.
enum Uploaded {
    At(String),
    NotPermitted,
    Missing,
}

/// The hash in the path is that of the encrypted file, and must be right.
async fn upload(
    State(engine): State<Engine>,
    Path((_, hash)): Path<(String, String)>,
    Query(params): Query<UploadParams>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // Before anything is read: each upload may be held in memory whole.
    let Ok(_permit) = engine.shared.uploads.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let body = match tokio::time::timeout(UPLOAD_TIMEOUT, to_bytes(body, limits::MEDIA_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let Ok(hash) = URL_SAFE_NO_PAD.decode(hash.trim_end_matches('=')) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let asks = params.resume.is_some();
    if !asks && (params.file_offset.is_some() || Sha256::digest(&body).as_slice() != hash) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let stored = engine.call(move |turn| {
        let Some(network) = permitted(turn, &params.auth)? else { return Ok(Uploaded::NotPermitted) };
        if !asks {
            return store(turn, network, &hash, &body).map(Uploaded::At);
        }
        let name = turn.db.one(
            "SELECT name FROM media WHERE network = ? AND hash = ? AND gone = 0 AND expires_at > ?",
            (network, &hash, turn.now),
            |row| row.get::<_, String>(0),
        )?;
        Ok(name.map_or(Uploaded::Missing, |name| Uploaded::At(path(&name))))
    });
    match stored.await {
        Ok(Uploaded::At(path)) => Json(uploaded(&headers, &path, asks)).into_response(),
        Ok(Uploaded::Missing) => Json(json!({})).into_response(),
        Ok(Uploaded::NotPermitted) => StatusCode::UNAUTHORIZED.into_response(),
        Err(failure) => unavailable(&failure),
    }
}

fn uploaded(headers: &HeaderMap, path: &str, asked: bool) -> Value {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or(super::NO_HOST);
    let url = format!("https://{host}{path}");
    match asked {
        true => json!({ "url": url, "direct_path": path, "resume": "complete" }),
        false => json!({ "url": url, "direct_path": path }),
    }
}

fn unavailable(failure: &Failure) -> Response {
    tracing::error!(%failure, "the sandbox cannot keep media");
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

#[derive(Deserialize)]
struct DownloadParams {
    /// The hash of the encrypted file, where the client knows it.
    token: Option<String>,
}

async fn download(
    State(engine): State<Engine>,
    Path(name): Path<String>,
    Query(params): Query<DownloadParams>,
    headers: HeaderMap,
) -> Response {
    let found = match engine.call(move |turn| find(turn, &name)).await {
        Ok(found) => found,
        Err(failure) => return unavailable(&failure),
    };
    let (hash, bytes) = match found {
        Found::Never => return StatusCode::NOT_FOUND.into_response(),
        Found::Gone => return StatusCode::GONE.into_response(),
        Found::Bytes { hash, bytes } => (hash, Bytes::from(bytes)),
    };
    if params.token.is_some_and(|token| token.trim_end_matches('=') != URL_SAFE_NO_PAD.encode(&hash)) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let whole = bytes.len();
    match headers.get(header::RANGE).and_then(|range| range.to_str().ok()).map(|range| part(range, whole)) {
        None | Some(Part::Ignored) => bytes.into_response(),
        Some(Part::Of(first, last)) => {
            let range = format!("bytes {first}-{last}/{whole}");
            let part = bytes.slice(first..=last);
            (StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, range)], part).into_response()
        },
        Some(Part::Outside) => {
            (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, format!("bytes */{whole}"))])
                .into_response()
        },
    }
}

/// Which bytes a header `Range` asks for (RFC 9110, section 14).
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Of(usize, usize),
    Outside,
    /// Several ranges, another unit, nonsense: the whole file is the answer.
    Ignored,
}

fn part(range: &str, whole: usize) -> Part {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Part::Ignored;
    };
    let end = whole.saturating_sub(1);
    let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(end)),
        (Ok(first), Err(_)) if last.is_empty() => (first, end),
        (Err(_), Ok(count)) if first.is_empty() => (whole.saturating_sub(count), end),
        _ => return Part::Ignored,
    };
    if first < whole && first <= last { Part::Of(first, last) } else { Part::Outside }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_the_standard_says() {
        for (range, expected) in [
            ("bytes=0-3", Part::Of(0, 3)),
            ("bytes=4-", Part::Of(4, 9)),
            ("bytes=-3", Part::Of(7, 9)),
            ("bytes=8-100", Part::Of(8, 9)),
            ("bytes=10-", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=3-1", Part::Ignored),
            ("bytes=0-1,4-5", Part::Ignored),
            ("items=0-1", Part::Ignored),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
    }
}
