//! The way to the network: where it is, the WebSocket, and the gate that cuts it.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use waxwing_domain::AccountId;
use whatsapp_rust::anyhow;
use whatsapp_rust::transport::{TokioWebSocketTransportFactory, Transport, TransportEvent, TransportFactory};

use crate::http_client::SharedHttpClient;
use crate::proxy::Proxy;

/// Where an account's network is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Address of the WebSocket, `ws://` or `wss://`.
    pub web_socket: String,
}

impl Endpoint {
    /// WhatsApp itself.
    pub fn whatsapp() -> Self {
        Self { web_socket: "wss://web.whatsapp.com/ws/chat".to_owned() }
    }
}

/// The network's address is not known now.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the network's address is not known: {0}")]
pub struct EndpointError(pub String);

/// Knows where each account's network is. Asked on every connect.
#[async_trait]
pub trait Endpoints: Send + Sync {
    /// Where the account's network is now.
    async fn endpoint(&self, account: AccountId) -> Result<Endpoint, EndpointError>;
}

/// Stands between the client and its socket. Once closed, nothing passes any more, whatever the client still tries.
pub(crate) struct Gate {
    closed: watch::Sender<bool>,
    current: Mutex<Option<Arc<dyn Transport>>>,
    /// Why the last connect failed.
    failure: Mutex<Option<String>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { closed: watch::Sender::new(false), current: Mutex::new(None), failure: Mutex::new(None) }
    }
}

impl Gate {
    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Returns when the gate is closed.
    pub(crate) async fn closed(&self) {
        // An error would mean that the sender is gone, and it is this value's own.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    /// Why no socket could be opened since this was last asked.
    pub(crate) fn take_failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Drops the current socket; a later connect gets a new one.
    pub(crate) fn cut(&self) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(transport) = current {
            tokio::spawn(async move { transport.disconnect().await });
        }
    }

    /// Drops the current socket and lets no other come.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
        self.cut();
    }
}

/// Makes the sockets of one session.
pub(crate) struct SessionSockets {
    pub(crate) account: AccountId,
    pub(crate) endpoints: Arc<dyn Endpoints>,
    pub(crate) gate: Arc<Gate>,
    /// Through which they go.
    pub(crate) proxy: Option<Proxy>,
    /// Follows the network wherever it is.
    pub(crate) http: SharedHttpClient,
}

impl SessionSockets {
    async fn open(&self) -> anyhow::Result<Opened> {
        let endpoint = self.endpoints.endpoint(self.account).await?;
        self.http.network_is_at(&endpoint.web_socket);
        match &self.proxy {
            Some(proxy) => proxy.web_socket(&endpoint.web_socket).await,
            None => {
                TokioWebSocketTransportFactory::new().with_url(endpoint.web_socket).create_transport().await
            },
        }
    }
}

/// A socket, and what comes from it.
type Opened = (Arc<dyn Transport>, whatsapp_rust::async_channel::Receiver<TransportEvent>);

#[async_trait]
impl TransportFactory for SessionSockets {
    async fn create_transport(&self) -> anyhow::Result<Opened> {
        anyhow::ensure!(!self.gate.is_closed(), "the session is closed");
        let (socket, events) = self.open().await.inspect_err(|error| {
            let failure = format!("{error:#}");
            *self.gate.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        })?;
        let transport: Arc<dyn Transport> = Arc::new(GatedSocket { socket, gate: Arc::clone(&self.gate) });
        *self.gate.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&transport));
        if self.gate.is_closed() {
            self.gate.cut();
        }
        Ok((transport, events))
    }
}

struct GatedSocket {
    socket: Arc<dyn Transport>,
    gate: Arc<Gate>,
}

#[async_trait]
impl Transport for GatedSocket {
    async fn send(&self, data: Bytes) -> anyhow::Result<()> {
        anyhow::ensure!(!self.gate.is_closed(), "the session is closed");
        self.socket.send(data).await
    }

    async fn disconnect(&self) {
        self.socket.disconnect().await;
    }
}
