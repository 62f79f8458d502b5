//! The sandbox network: in this process, or in one of its own.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use async_trait::async_trait;
use http::Method;
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch};
use waxwing_app::ports::{
    Clock, Entropy, EntropyExt, GatewayError, SandboxAnswer, SandboxControl, SandboxRequest,
};
use waxwing_domain::AccountId;
use waxwing_runtime::{OsEntropy, SystemClock, shutdown_signal};
use waxwing_sandbox::{Options, Sandbox};
use waxwing_signed_http::{Client, SigningKey};
use waxwing_whatsapp::{Endpoint, EndpointError, Endpoints};

use crate::{cli::SandboxArgs, internal};

/// Most accounts whose tokens are kept in memory.
const TOKENS_MAX: usize = 10_000;

/// A sandbox that is served.
pub(crate) struct Served {
    sandbox: Sandbox,
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
}

impl Served {
    /// Opens the network kept in `data_dir` and serves it.
    pub(crate) async fn start(
        data_dir: &Path,
        listen: SocketAddr,
        key: SigningKey,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        let (time, seed) = (clock.clone(), entropy.clone());
        let options =
            Options::new(Arc::new(move || time.now().as_millisecond()), Arc::new(move || seed.bytes()));
        let sandbox = Sandbox::open(data_dir, options)?;
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("{listen} cannot be listened on"))?;
        let address = listener.local_addr()?;
        let router = sandbox.router(internal::verifier(key, clock));
        let (stop, mut stopped) = watch::channel(false);
        let served = axum::serve(listener, router)
            .with_graceful_shutdown(async move { drop(stopped.wait_for(|stop| *stop).await) });
        tokio::spawn(async move { served.await });
        Ok(Self { sandbox, address, stop })
    }

    /// Closes its sockets and stops serving.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.sandbox.shutdown().await;
    }
}

/// `waxwing sandbox`
pub(crate) async fn run(args: SandboxArgs) -> Result<()> {
    let (clock, entropy) = (Arc::new(SystemClock::default()), Arc::new(OsEntropy));
    std::fs::create_dir_all(&args.data_dir)
        .with_context(|| format!("{} cannot be made", args.data_dir.display()))?;
    let key = internal::key(&args.data_dir, &*entropy)?;
    let served = Served::start(&args.data_dir, args.listen, key, clock, entropy).await?;
    println!("sandbox network: http://{}", served.address);
    println!("its key:         {}", args.data_dir.join("internal.key").display());
    shutdown_signal().await?;
    served.stop().await;
    Ok(())
}

/// A sandbox as the rest of the product sees it: always over signed HTTP, wherever it runs.
pub(crate) struct RemoteSandbox {
    client: Client,
    web_socket_base: String,
    paths: Mutex<HashMap<AccountId, String>>,
}

impl RemoteSandbox {
    /// The sandbox at `base_url`.
    pub(crate) fn new(base_url: &str, client: Client) -> Self {
        let web_socket_base = base_url.trim_end_matches('/').replacen("http", "ws", 1);
        Self { client, web_socket_base, paths: Mutex::default() }
    }

    async fn web_socket_path(&self, account: AccountId) -> Result<String, EndpointError> {
        if let Some(path) = self.paths.lock().unwrap_or_else(PoisonError::into_inner).get(&account) {
            return Ok(path.clone());
        }
        let path = format!("/internal/networks/{account}");
        let answer = self.client.call(Method::GET, &path, None, &[]).await;
        let answer = answer.map_err(|error| EndpointError(error.to_string()))?;
        let path = answer.body.get("ws_path").and_then(Value::as_str).map(str::to_owned);
        let path = path.ok_or_else(|| EndpointError(format!("the sandbox answered {}", answer.status)))?;
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        if paths.len() >= TOKENS_MAX {
            paths.clear();
        }
        paths.insert(account, path.clone());
        Ok(path)
    }
}

#[async_trait]
impl Endpoints for RemoteSandbox {
    async fn endpoint(&self, account: AccountId) -> Result<Endpoint, EndpointError> {
        let path = self.web_socket_path(account).await?;
        Ok(Endpoint { web_socket: format!("{}{path}", self.web_socket_base) })
    }
}

#[async_trait]
impl SandboxControl for RemoteSandbox {
    async fn call(&self, account: AccountId, request: SandboxRequest) -> Result<SandboxAnswer, GatewayError> {
        let SandboxRequest { method, path, body, idempotency_key } = request;
        let unavailable = |error: String| GatewayError::Unavailable(error);
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| unavailable(error.to_string()))?;
        let path = format!("/internal/networks/{account}/{path}");
        let header = idempotency_key.as_deref().map(|key| ("idempotency-key", key));
        let answer = self.client.call(method, &path, body.as_ref(), header.as_slice()).await;
        let answer = answer.map_err(|error| unavailable(error.to_string()))?;
        Ok(SandboxAnswer { status: answer.status, body: answer.body, replayed: answer.replayed })
    }
}
