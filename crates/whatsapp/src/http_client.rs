//! HTTP for the client library: media, and nothing else while a version is given.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use http::uri::Authority;
use wacore::net::{HttpClient, HttpRequest, HttpResponse};
use waxwing_domain::Network;
use whatsapp_rust::anyhow;

use crate::proxy::Proxy;
use crate::{MEDIA_BYTES_MAX, NETWORK};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the whole exchange; media may be 100 MB.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(300);
/// Longest body of an answer: a file with its padding and its authentication code.
const BODY_BYTES_MAX: usize = MEDIA_BYTES_MAX + 1_024;

/// The library's HTTP on `reqwest`. All sessions of a host that have no proxy share its connections.
#[derive(Clone)]
pub(crate) struct SharedHttpClient {
    /// `None` where the session's proxy is one that it must not have.
    client: Option<reqwest::Client>,
    plain: PlainHost,
}

fn builder() -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(TOTAL_TIMEOUT);
    // A simulated network is ours: nothing of it goes through a proxy that the environment names.
    if NETWORK == Network::Sandbox { builder.no_proxy() } else { builder }
}

impl SharedHttpClient {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // reqwest is built without a TLS provider of its own; this installs the one that the WebSocket uses.
        let _ = whatsapp_rust::transport::default_tls_connector();
        Ok(Self { client: Some(builder().build()?), plain: PlainHost::default() })
    }

    /// For one session, which has a network of its own, and may have a proxy.
    pub(crate) fn for_session(&self, proxy: Option<&Proxy>) -> Result<Self, reqwest::Error> {
        let client = match proxy {
            None => self.client.clone(),
            Some(proxy) => proxy.http(builder())?,
        };
        Ok(Self { client, plain: PlainHost::default() })
    }

    /// The session's network is at this WebSocket address from now on.
    pub(crate) fn network_is_at(&self, web_socket: &str) {
        self.plain.learn(NETWORK, web_socket);
    }
}

/// The one media host that is spoken to without TLS: that of a simulated network which is itself reached without. The
/// library makes `https` addresses only, of the host that the network names, which is the one of its WebSocket.
#[derive(Clone, Default)]
struct PlainHost(Arc<RwLock<Option<Authority>>>);

impl PlainHost {
    fn learn(&self, network: Network, web_socket: &str) {
        let host = match web_socket.parse::<Uri>() {
            Ok(uri) if network == Network::Sandbox && uri.scheme_str() == Some("ws") => {
                uri.authority().cloned()
            },
            _ => None,
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = host;
    }

    /// The address to fetch in place of `url`.
    fn address(&self, url: String) -> String {
        let plain = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match (&*plain, url.parse::<Uri>()) {
            (Some(plain), Ok(uri)) if uri.authority() == Some(plain) && uri.scheme_str() == Some("https") => {
                url.replacen("https", "http", 1)
            },
            _ => url,
        }
    }
}

#[async_trait]
impl HttpClient for SharedHttpClient {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let method: http::Method = request.method.parse()?;
        let client = self.client.as_ref();
        let client = client.ok_or_else(|| anyhow::anyhow!("a proxy on a private address is not allowed"))?;
        let mut builder = client.request(method, self.plain.address(request.url));
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        // The library tells a stale token from a dead host by the status: a status is an answer, never an error.
        let mut response = builder.send().await?;
        let status_code = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            anyhow::ensure!(body.len() + chunk.len() <= BODY_BYTES_MAX, "the answer is too long");
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status_code, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_of_a_plain_sandbox_is_spoken_to_without_tls() {
        let fetched = |network, web_socket: &str, url: &str| {
            let host = PlainHost::default();
            host.learn(network, web_socket);
            host.address(url.to_owned())
        };
        let file = "https://127.0.0.1:4000/o1/v/x?token=https";
        let plain = "http://127.0.0.1:4000/o1/v/x?token=https";
        assert_eq!(fetched(Network::Sandbox, "ws://127.0.0.1:4000/ws/chat/a", file), plain);
        for (network, web_socket) in [
            (Network::Whatsapp, "ws://127.0.0.1:4000/ws/chat/a"),
            (Network::Sandbox, "wss://127.0.0.1:4000/ws/chat/a"),
            (Network::Sandbox, "ws://127.0.0.1:4001/ws/chat/a"),
            (Network::Sandbox, "ws://127.0.0.1/ws/chat/a"),
            (Network::Sandbox, "ws://localhost:4000/ws/chat/a"),
            (Network::Sandbox, "nowhere"),
        ] {
            assert_eq!(fetched(network, web_socket, file), file, "{network:?} {web_socket}");
        }
        let other = "https://mmg.whatsapp.net/o1/v/x";
        assert_eq!(fetched(Network::Sandbox, "ws://127.0.0.1:4000/ws/chat/a", other), other);
    }

    #[test]
    fn a_network_that_moves_takes_the_permission_with_it() {
        let host = PlainHost::default();
        host.learn(Network::Sandbox, "ws://127.0.0.1:4000/");
        host.learn(Network::Sandbox, "wss://sandbox.example.com/");
        assert_eq!(host.address("https://127.0.0.1:4000/".to_owned()), "https://127.0.0.1:4000/");
    }
}
