//! Opens connections.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use wacore::runtime::Runtime;
use wacore::store::device::DevicePropsOverride;
use waproto::whatsapp::device_props::PlatformType;
use waxwing_app::ports::{Clock, PortError};
use waxwing_domain::{Network, session::ProxyUrl};
use whatsapp_rust::store::commands::DeviceCommand;
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::store::traits::Backend;
use whatsapp_rust::{CacheConfig, CacheEntryConfig, Client, TokioRuntime};

use crate::event::ConnectionEvents;
use crate::handler::{Relay, Shared};
use crate::http_client::SharedHttpClient;
use crate::inbound::CommitHook;
use crate::proxy::{Proxy, ProxyGuard};
use crate::sleeper::{Sleeper, SleeperRuntime};
use crate::socket::{Endpoints, Gate, SessionSockets};
use crate::store::{Poison, SignalBackend, SignalState};
use crate::{Connection, InboundSink, NETWORK};

/// How often a changed identity is saved at the latest; it is usually saved at once.
const SAVE_INTERVAL: Duration = Duration::from_secs(30);

/// What a session says about itself, and its limits.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// The network that the session belongs to. Has to be this build's [`NETWORK`].
    pub network: Network,
    /// How the linked device is called on the phone.
    pub device_name: String,
    /// The name that contacts see until the phone tells its own.
    pub push_name: Option<String>,
    /// Through which proxy it connects.
    pub proxy: Option<ProxyUrl>,
    /// WhatsApp Web's version. It is always given, so that no session fetches it by itself.
    pub version: (u32, u32, u32),
    /// Whether old conversations are left on the phone.
    pub skip_history: bool,
    /// How many one-time keys are kept on the server. Each costs about 100 bytes of memory.
    pub pre_key_count: usize,
    /// How many events may wait for the reader before the session is closed.
    pub event_queue_len: usize,
    /// How long the commit of inbound messages may take before the connection is dropped.
    pub commit_budget: Duration,
}

impl SessionSettings {
    /// The usual settings of a session on `network`.
    pub fn new(network: Network, device_name: impl Into<String>) -> Self {
        let pre_key_count = match network {
            Network::Sandbox => 50,
            // What WhatsApp Web keeps.
            Network::Whatsapp => 812,
        };
        Self {
            network,
            device_name: device_name.into(),
            push_name: None,
            proxy: None,
            version: (2, 3000, 1_035_194_821),
            skip_history: true,
            pre_key_count,
            event_queue_len: 4096,
            commit_budget: Duration::from_secs(30),
        }
    }
}

/// Why a connection could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A sandbox build was asked for a live session, or the other way round.
    #[error("this build reaches the {} network only, and the session belongs to {}", built.as_str(), wanted.as_str())]
    WrongNetwork {
        /// The build's network.
        built: Network,
        /// The session's network.
        wanted: Network,
    },
    /// The Signal state cannot be used any more.
    #[error("the session's Signal state cannot be used: {0}")]
    Poisoned(Poison),
    /// The client library refused what it was given.
    #[error("the client could not be built: {0}")]
    Client(String),
}

/// Opens connections. One for a whole host.
pub struct Connector {
    endpoints: Arc<dyn Endpoints>,
    clock: Arc<dyn Clock>,
    http: SharedHttpClient,
    runtime: Arc<dyn Runtime>,
    proxy_guard: ProxyGuard,
}

impl Connector {
    /// A connector whose sessions find their networks through `endpoints`, and whose proxies may be where `proxy_guard`
    /// says.
    pub fn new(
        endpoints: Arc<dyn Endpoints>,
        clock: Arc<dyn Clock>,
        proxy_guard: ProxyGuard,
    ) -> Result<Self, PortError> {
        let http = SharedHttpClient::new().map_err(|error| {
            PortError::Unavailable(format!("the HTTP client could not be built: {error}"))
        })?;
        Ok(Self { endpoints, clock, http, runtime: Arc::new(TokioRuntime), proxy_guard })
    }

    /// Its sessions wait as `sleeper` says: for tests that cannot wait for as long as a code is shown.
    pub fn with_sleeper(self, sleeper: Arc<dyn Sleeper>) -> Self {
        Self { runtime: Arc::new(SleeperRuntime(sleeper)), ..self }
    }

    /// Builds a client on `state`. Nothing is sent before [`Connection::connect`].
    pub async fn open(
        &self,
        state: SignalState,
        settings: SessionSettings,
        sink: Arc<dyn InboundSink>,
    ) -> Result<(Connection, ConnectionEvents), OpenError> {
        if settings.network != NETWORK {
            return Err(OpenError::WrongNetwork { built: NETWORK, wanted: settings.network });
        }
        if let Some(poison) = state.poison() {
            return Err(OpenError::Poisoned(poison));
        }
        let gate = Arc::new(Gate::default());
        let (clock, budget) = (Arc::clone(&self.clock), settings.commit_budget);
        let shared = Arc::new(Shared::new(state.clone(), sink, clock, Arc::clone(&gate), budget));
        let proxy = settings.proxy.clone().map(|url| Proxy { url, guard: Arc::clone(&self.proxy_guard) });
        let http =
            self.http.for_session(proxy.as_ref()).map_err(|error| OpenError::Client(error.to_string()))?;
        let (account, endpoints) = (state.account(), Arc::clone(&self.endpoints));
        let sockets = SessionSockets { account, endpoints, gate, proxy, http };
        let client = self.build_client(&state, &settings, sockets, Arc::clone(&shared)).await?;
        shared.set_client(&client);
        let (sender, queue) = mpsc::channel(settings.event_queue_len.max(16));
        let relay = Relay { queue: sender.clone(), shared: Arc::clone(&shared) };
        let subscription = client.subscribe_handler(Arc::new(relay));
        let events = ConnectionEvents::new(queue, Arc::clone(&shared));
        Ok((Connection::new(client, shared, sender, subscription), events))
    }

    async fn build_client(
        &self,
        state: &SignalState,
        settings: &SessionSettings,
        sockets: SessionSockets,
        shared: Arc<Shared>,
    ) -> Result<Arc<Client>, OpenError> {
        let failed = |error: &dyn std::error::Error| OpenError::Client(error.to_string());
        let backend: Arc<dyn Backend> = Arc::new(SignalBackend::new(state.clone(), Arc::clone(&self.clock)));
        let device = Arc::new(PersistenceManager::new(backend).await.map_err(|error| failed(&error))?);
        if let Some(name) = &settings.push_name
            && device.get_device_snapshot().push_name.is_empty()
        {
            device.process_command(DeviceCommand::SetPushName(name.clone())).await;
        }
        let props = DevicePropsOverride::new()
            .with_os(settings.device_name.clone())
            .with_platform_type(PlatformType::CHROME);
        device.process_command(DeviceCommand::SetDeviceProps(props)).await;
        let built = Client::builder()
            .with_runtime_arc(Arc::clone(&self.runtime))
            .with_persistence_manager(device)
            .with_http_client(sockets.http.clone())
            .with_transport_factory(sockets)
            .with_version_override(settings.version)
            .with_cache_config(cache_config())
            .with_inbound_durability_hook(CommitHook { shared })
            .with_skip_history_sync(settings.skip_history)
            .with_wanted_pre_key_count(settings.pre_key_count)
            .with_background_saver_interval(SAVE_INTERVAL)
            .build()
            .await
            .map_err(|error| failed(&error))?;
        Ok(built.into_client())
    }
}

/// Small caches: everything that they cache is in memory already, behind our store.
fn cache_config() -> CacheConfig {
    let defaults = CacheConfig::default();
    let hour = Some(Duration::from_secs(3600));
    CacheConfig {
        group_cache: CacheEntryConfig::new(hour, 100),
        device_registry_cache: CacheEntryConfig::new(hour, 2_000),
        message_retry_counts: CacheEntryConfig::new(hour, 200),
        undecryptable_dispatched: CacheEntryConfig::new(defaults.undecryptable_dispatched.timeout, 200),
        resend_rate_limiter_capacity: 512,
        seed_msg_secrets_from_history: false,
        ..defaults
    }
}
