//! The interactive documentation. Its files stand packed in the binary, which they would otherwise double, and are served
//! that way to everybody who takes it.

use std::io::Read;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use flate2::read::GzDecoder;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::Problem;

/// No file is larger, packed or not.
const FILE_MAX: usize = 16 * 1024 * 1024;

/// The pages, and the document that they show.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(document: OpenApi) -> Router<S> {
    // Nothing outside is asked to validate the document.
    let pages = SwaggerUi::new("/api/docs")
        .url("/api/v1/openapi.json", document)
        .config(Config::default().validator_url("none"));
    Router::new().merge(pages).layer(middleware::from_fn(answer))
}

async fn answer(request: Request, next: Next) -> Response {
    let takes_gzip = takes_gzip(request.headers());
    let response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        // The library's own is bare text.
        return Problem::not_found("page").into_response();
    }
    let packed = response.headers().get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    if !packed {
        return response;
    }
    let mut response = if takes_gzip { response } else { unpacked(response).await };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    response
}

/// Whether the client wants gzip (RFC 9110, 12.5.3). One that says nothing may be a person with curl.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING);
    accepted.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|coding| {
        let mut parameters = coding.split(';').map(str::trim);
        let named = parameters.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        let refused = parameters.any(|parameter| {
            parameter.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
        });
        named && !refused
    })
}

async fn unpacked(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let mut bytes = Vec::new();
    let packed = to_bytes(body, FILE_MAX).await.unwrap_or_default();
    let read = GzDecoder::new(packed.as_ref()).take(FILE_MAX as u64).read_to_end(&mut bytes);
    if let Err(error) = read {
        tracing::error!(%error, "a page of the documentation is damaged");
        return Problem::new("internal", "Something went wrong here.").into_response();
    }
    parts.headers.remove(header::CONTENT_ENCODING);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_goes_to_those_who_take_it() {
        for (accepts, takes) in [
            ("gzip, deflate, br", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("identity", false),
            ("gzip;q=0, identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, accepts.parse().unwrap())]);
            assert_eq!(takes_gzip(&headers), takes, "{accepts}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
