use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use tokio::{net::TcpListener, sync::watch};
use waxwing_app::ports::{Census, Clock, CountsSessions, Entropy, EntropyExt};
use waxwing_aws::Deployment;
use waxwing_host::{Host, HostPorts, HostSettings, Membership};
use waxwing_runtime::{
    OsEntropy, SystemClock, environment, print_metrics, proxy_guard, shutdown_signal, signed_client_maker,
    unix_seconds,
};
use waxwing_signed_http::Verifier;
use waxwing_whatsapp::{Connector, Endpoints};

use crate::{address, routes};

/// The alarm waits for several times this.
const METRICS_INTERVAL: Duration = Duration::from_secs(30);
/// Commits of one chat come by different shards of the journal's stream, which different functions read.
const SETTLE: Duration = Duration::from_millis(300);
const LISTEN: &str = "0.0.0.0:8090";
/// How long requests under way may take when the host stops.
const SERVE_STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT, then drains: sessions close, and their places are free at once.
pub(crate) async fn run() -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let maker = signed_client_maker(clock.clone(), entropy.clone())?;
    let deployment = Deployment::connect(environment, clock.clone(), entropy.clone(), &maker).await?;
    ensure!(
        deployment.commands.network == waxwing_whatsapp::NETWORK,
        "this build is for {} and the deployment for {}",
        waxwing_whatsapp::NETWORK.as_str(),
        deployment.commands.network.as_str(),
    );
    let listen: SocketAddr = environment("WAXWING_LISTEN")
        .unwrap_or_else(|| LISTEN.to_owned())
        .parse()
        .context("WAXWING_LISTEN is no address such as 0.0.0.0:8090")?;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("{listen} cannot be listened on"))?;
    let address = address::advertised(listener.local_addr()?).await?;
    let ports = HostPorts {
        commands: deployment.commands.ports.clone(),
        records: deployment.records(),
        work: deployment.work(),
        secrets: deployment.engine.secrets(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        connector: Arc::new(Connector::new(endpoints(&deployment)?, clock.clone(), proxies())?),
        host_name: name(&*entropy),
        membership: Some(Membership { address: address.clone(), peers: deployment.gateway.clone() }),
    };
    let settings = HostSettings { settle: SETTLE, ..HostSettings::default() };
    let host = Host::start(ports, settings);
    let router = routes::router(
        host.clone(),
        Verifier::new(deployment.internal_key.clone(), unix_seconds(clock.clone())),
    );
    let (stop, mut stopped) = watch::channel(false);
    let server = tokio::spawn(async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(async move { drop(stopped.wait_for(|stop| *stop).await) })
            .await
    });
    let running = host.clone();
    let sessions = tokio::spawn(async move { running.run().await });
    let metrics = tokio::spawn(tell_metrics(host.clone(), clock));
    tracing::info!(address, "the session host runs");
    shutdown_signal().await?;
    metrics.abort();
    tracing::info!("draining");
    host.stop().await;
    stop.send_replace(true);
    let _ = tokio::time::timeout(SERVE_STOP_TIMEOUT, server).await;
    sessions.abort();
    tracing::info!("stopped");
    Ok(())
}

/// What alarms and scaling look at. A host that is fenced says nothing, like one that is gone.
async fn tell_metrics(host: Host, clock: Arc<dyn Clock>) {
    let mut every = tokio::time::interval(METRICS_INTERVAL);
    loop {
        every.tick().await;
        if host.is_alive() {
            let sessions = f64::from(u32::try_from(host.sessions()).unwrap_or(u32::MAX));
            let Census { statuses, health, oldest_frame_at, client_outdated } = host.census();
            let count = |of: Option<&usize>| {
                of.map_or(0.0, |count| f64::from(u32::try_from(*count).unwrap_or(u32::MAX)))
            };
            let now = clock.now();
            let age = oldest_frame_at.map_or(0.0, |at| now.duration_since(at).as_secs_f64() * 1_000.0);
            let metrics = [
                ("HostHeartbeat", "Count", 1.0),
                ("SessionsPerHost", "Count", sessions),
                ("SessionsConnected", "Count", count(statuses.get("connected"))),
                ("SessionsReconnecting", "Count", count(statuses.get("reconnecting"))),
                ("SessionsDeaf", "Count", count(health.get("deaf"))),
                ("OldestFrameAge", "Milliseconds", age),
                ("ClientOutdated", "Count", if client_outdated { 1.0 } else { 0.0 }),
            ];
            print_metrics(now, &metrics);
        }
    }
}

/// Unique among the hosts of a deployment, also among the starts of one task.
fn name(entropy: &dyn Entropy) -> String {
    let random: [u8; 8] = entropy.bytes();
    format!("host-{:016x}", u64::from_be_bytes(random))
}

/// Where sessions' proxies may be. `WAXWING_PRIVATE_PROXIES=true` is for a deployment whose customers are all trusted.
fn proxies() -> waxwing_whatsapp::ProxyGuard {
    let private = environment("WAXWING_PRIVATE_PROXIES").as_deref() == Some("true");
    proxy_guard(waxwing_whatsapp::NETWORK == waxwing_domain::Network::Sandbox, private)
}

fn endpoints(deployment: &Deployment) -> Result<Arc<dyn Endpoints>> {
    #[cfg(feature = "sandbox")]
    {
        let client = deployment.sandbox.clone().context("WAXWING_SANDBOX_URL is not set")?;
        let url = environment("WAXWING_SANDBOX_URL").context("WAXWING_SANDBOX_URL is not set")?;
        Ok(Arc::new(waxwing_host::SandboxEndpoints::new(&url, client)))
    }
    #[cfg(not(feature = "sandbox"))]
    {
        let _ = deployment;
        Ok(Arc::new(waxwing_host::WhatsappEndpoints))
    }
}
