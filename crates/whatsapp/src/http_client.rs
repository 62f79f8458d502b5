//! HTTP for the client library: media, and nothing else while a version is given.

use std::time::Duration;

use async_trait::async_trait;
use wacore::net::{HttpClient, HttpRequest, HttpResponse};
use whatsapp_rust::anyhow;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the whole exchange; media may be 100 MB.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(300);

/// The library's HTTP on `reqwest`. Shared by all sessions of a host.
#[derive(Clone)]
pub(crate) struct SharedHttpClient {
    client: reqwest::Client,
}

impl SharedHttpClient {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // reqwest is built without a TLS provider of its own; this installs the one that the WebSocket uses.
        let _ = whatsapp_rust::transport::default_tls_connector();
        let client =
            reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(TOTAL_TIMEOUT).build()?;
        Ok(Self { client })
    }
}

#[async_trait]
impl HttpClient for SharedHttpClient {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let method: http::Method = request.method.parse()?;
        let mut builder = self.client.request(method, &request.url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        // The library tells a stale token from a dead host by the status: a status is an answer, never an error.
        let response = builder.send().await?;
        let status_code = response.status().as_u16();
        Ok(HttpResponse { status_code, body: response.bytes().await?.to_vec() })
    }
}
