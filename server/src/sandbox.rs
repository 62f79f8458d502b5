//! The sandbox network: in this process, or in one of its own.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use tokio::{net::TcpListener, sync::watch};
use waxwing_app::ports::{Clock, Entropy, EntropyExt};
use waxwing_runtime::{OsEntropy, SystemClock, environment, shutdown_signal};
use waxwing_sandbox::{Options, Sandbox};
use waxwing_signed_http::SigningKey;

use crate::{cli::SandboxArgs, internal};

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
        first_stanza_delay: Option<Duration>,
    ) -> Result<Self> {
        let (time, seed) = (clock.clone(), entropy.clone());
        let mut options =
            Options::new(Arc::new(move || time.now().as_millisecond()), Arc::new(move || seed.bytes()));
        options.first_stanza_delay = first_stanza_delay.unwrap_or(options.first_stanza_delay);
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
    let key = match environment("WAXWING_INTERNAL_KEY") {
        Some(secret) => SigningKey::from_secret(&secret).context("WAXWING_INTERNAL_KEY")?,
        None => internal::key(&args.data_dir, &*entropy)?,
    };
    let delay = Duration::from_millis(args.first_stanza_delay_ms.into());
    let served = Served::start(&args.data_dir, args.listen, key, clock, entropy, Some(delay)).await?;
    println!("sandbox network: http://{}", served.address);
    println!("its key:         WAXWING_INTERNAL_KEY, else {}", args.data_dir.join("internal.key").display());
    shutdown_signal().await?;
    served.stop().await;
    Ok(())
}
