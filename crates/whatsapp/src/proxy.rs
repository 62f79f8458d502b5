//! The way to the network through a session's proxy.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Uri, header};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Connector};
use tower_service::Service;
use waxwing_domain::session::{ProxyKind, ProxyUrl};
use whatsapp_rust::anyhow::{self, Context as _};
use whatsapp_rust::transport::{Transport, TransportEvent, default_tls_connector, from_websocket};

/// How long it may take until the WebSocket stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// What WhatsApp Web's page sends; the client library's own sockets do, too.
const ORIGIN: &str = "https://web.whatsapp.com";

/// Why a proxy is not used.
const FORBIDDEN: &str = "a proxy on a private or reserved address is not allowed";

/// Which addresses a proxy may have.
pub type ProxyGuard = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// A session's proxy.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: ProxyUrl,
    pub(crate) guard: ProxyGuard,
}

impl Proxy {
    /// Opens the WebSocket at `url`.
    pub(crate) async fn web_socket(
        &self,
        url: &str,
    ) -> anyhow::Result<(Arc<dyn Transport>, whatsapp_rust::async_channel::Receiver<TransportEvent>)> {
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, self.open(url)).await;
        opened.context("the proxy did not answer in time")?
    }

    /// An HTTP client that goes this way; `None` where the proxy's address is one that it must not have.
    pub(crate) fn http(
        &self,
        builder: reqwest::ClientBuilder,
    ) -> Result<Option<reqwest::Client>, reqwest::Error> {
        let literal = self.url.host().trim_matches(['[', ']']).parse::<IpAddr>().ok();
        if literal.is_some_and(|address| !(self.guard)(address)) {
            return Ok(None);
        }
        // With the h the proxy resolves names.
        let proxy = reqwest::Proxy::all(self.url.as_url().replacen("socks5://", "socks5h://", 1))?;
        let resolver = Arc::new(Guarded(self.guard.clone()));
        builder.no_proxy().proxy(proxy).dns_resolver(resolver).build().map(Some)
    }

    async fn open(
        &self,
        url: &str,
    ) -> anyhow::Result<(Arc<dyn Transport>, whatsapp_rust::async_channel::Receiver<TransportEvent>)> {
        let uri: Uri = url.parse()?;
        let host = uri.host().context("the network has no host")?;
        let (port, tls) = match uri.scheme_str() {
            Some("wss") => (443, default_tls_connector()),
            _ => (80, Connector::Plain),
        };
        let port = uri.port_u16().unwrap_or(port);
        let stream = self.stream(&format!("{host}:{port}").parse()?).await?;
        let stream = tls.wrap(host, stream).await.context("no TLS through the proxy")?;
        let builder =
            ClientBuilder::new().uri(url)?.add_header(header::ORIGIN, HeaderValue::from_static(ORIGIN))?;
        let (socket, _) = builder.connect_on(stream).await.context("no WebSocket through the proxy")?;
        Ok(from_websocket(socket))
    }

    /// A stream that ends at `target` (host and port).
    async fn stream(&self, target: &Uri) -> anyhow::Result<TcpStream> {
        let proxy: Uri = format!("{}:{}", self.url.host(), self.url.port()).parse()?;
        let way = Direct(self.guard.clone());
        let stream = match (self.url.kind(), self.url.login()) {
            (ProxyKind::Http, login) => {
                let mut tunnel = Tunnel::new(proxy, way);
                if let Some((name, password)) = login {
                    let basic = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
                    tunnel = tunnel.with_auth(basic.parse()?);
                }
                tunnel.call(target.clone()).await.context("the HTTP proxy made no tunnel")?
            },
            (ProxyKind::Socks5, login) => {
                let mut socks = SocksV5::new(proxy, way);
                if let Some((name, password)) = login {
                    socks = socks.with_auth(name, password);
                }
                socks.call(target.clone()).await.context("the SOCKS proxy made no connection")?
            },
        };
        Ok(stream.into_inner())
    }
}

/// Resolves the proxy's name: the only one that is not for the proxy to resolve.
struct Guarded(ProxyGuard);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|found| guard(found.ip())).collect();
            match allowed.is_empty() {
                true => Err(std::io::Error::other(FORBIDDEN).into()),
                false => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// Connects to a proxy, if it is where one may be: the address is looked at as it was resolved for this very connection.
#[derive(Clone)]
struct Direct(ProxyGuard);

impl Service<Uri> for Direct {
    type Response = TokioIo<TcpStream>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        let guard = self.0.clone();
        Box::pin(async move {
            let authority =
                proxy.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
            let found = tokio::net::lookup_host(authority).await?;
            let allowed: Vec<SocketAddr> = found.filter(|found| guard(found.ip())).collect();
            if allowed.is_empty() {
                return Err(std::io::Error::other(FORBIDDEN));
            }
            let stream = TcpStream::connect(allowed.as_slice()).await?;
            stream.set_nodelay(true)?;
            Ok(TokioIo::new(stream))
        })
    }
}
