//! `waxwing up`: settings, engine, app, run.

use std::{
    io::IsTerminal,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use waxwing_api::Api;
use waxwing_app::{
    commands::AccountLimits,
    features::FeatureSwitches,
    feed::{Consumer, FeedRunner},
    kept_mail::KeptMail,
    ports::{Gateway, WebhookPost},
    processes::{Delivery, Erasing, MailDispatch, MailFanOut, WebhookDispatch, WebhookFanOut},
    projections::{
        ApiKeyProjection, AuditProjection, DirectoryProjection, MessageProjection, SearchProjection,
        SessionProjection,
    },
};
use waxwing_domain::Network as WhatsappNetwork;
use waxwing_host::{Host, HostPorts, HostSettings};
use waxwing_runtime::{GuardedPost, proxy_guard, shutdown_signal};
use waxwing_whatsapp::Connector;

use crate::{
    admin,
    cli::{Registration, UpArgs},
    credentials::{self, Bootstrapped},
    engine::Installation,
    internal, keys, mail,
    network::Network,
    serve::{ANSWER_WITHIN, serve},
};

/// How long each part of a stop may take; all of them run side by side where they can.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// The same for the sandbox, which goes last.
#[cfg(feature = "sandbox")]
const NETWORK_STOP_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: UpArgs) -> Result<()> {
    let progress = Progress::start();
    let mut installation = Installation::open(&args.data_dir, args.max_page_count)?;
    installation.commands.limits = AccountLimits::new(args.sessions_max, args.webhooks_max);
    progress.step("data folder open");
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("{} cannot be listened on; choose another with --listen", args.listen))?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let credentials = credentials::bootstrap(&installation, &args.data_dir, base_url.clone()).await?;
    progress.step("credentials ready");
    let key = internal::key(&args.data_dir, &*installation.entropy)?;
    let (network, sandbox) = open_network(&args, &installation, key.clone()).await?;
    progress.step("network ready");

    let (stop, stopped) = watch::channel(false);
    let parts = Parts::start(&args, &installation, network, stopped.clone()).await?;
    let ready = parts.api.ready.clone();
    let verifier = internal::verifier(key, installation.clock.clone());
    let router = waxwing_api::router(parts.api.clone())
        .merge(admin::routes(installation.commands.clone(), verifier.clone()))
        .merge(keys::routes(installation.engine.keys(), verifier));
    let server = tokio::spawn(serve(listener, router, stopped));
    ready.store(true, Ordering::Release);
    announce(&installation, &credentials, &args.data_dir).await?;
    progress.step("ready");
    print_welcome(&credentials, &args.data_dir);

    shutdown_signal().await?;
    progress.step("stopping");
    ready.store(false, Ordering::Release);
    stop.send_replace(true);
    let _ = tokio::join!(timeout(STOP_TIMEOUT, server), parts.stop());
    stop_network(sandbox).await;
    installation.engine.close().await?;
    progress.step("stopped");
    Ok(())
}

/// The file is in place once `/ready` answers.
async fn announce(installation: &Installation, credentials: &Bootstrapped, data_dir: &Path) -> Result<()> {
    let base_url = &credentials.credentials.base_url;
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let answer =
        http.get(format!("{base_url}/ready")).send().await.context("the server does not answer itself")?;
    answer.error_for_status().context("the server is not ready")?;
    installation
        .engine
        .announce(base_url)
        .with_context(|| format!("{} cannot be written", data_dir.display()))?;
    credentials.publish().map(drop)
}

/// Everything that runs behind the API.
struct Parts {
    api: Api,
    host: Host,
    tasks: JoinSet<()>,
}

impl Parts {
    async fn start(
        args: &UpArgs,
        installation: &Installation,
        network: Network,
        stopped: watch::Receiver<bool>,
    ) -> Result<Self> {
        let Installation { engine, clock, entropy, commands } = installation;
        let sandboxed = commands.network == WhatsappNetwork::Sandbox;
        let guard = proxy_guard(sandboxed, args.private_proxies);
        let connector = Connector::new(network.endpoints, clock.clone(), guard)?;
        let ports = HostPorts {
            commands: commands.ports.clone(),
            records: engine.records(),
            work: engine.work(),
            secrets: engine.secrets(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            connector: Arc::new(connector),
            host_name: "standalone".to_owned(),
            membership: None,
        };
        let settings = HostSettings { connects_per_s: args.connects_per_s, ..HostSettings::default() };
        let host = Host::start(ports, settings);
        let gateway: Arc<dyn Gateway> = Arc::new(host.clone());
        let allow_loopback = commands.network == WhatsappNetwork::Sandbox;
        let post: Arc<dyn WebhookPost> = Arc::new(GuardedPost::new(allow_loopback)?);
        let mut tasks = JoinSet::new();
        let mail = Arc::new(KeptMail { ports: commands.ports.clone(), records: engine.records() });
        let mailer = mail::mailer(args, installation, &mail)?;
        let mails = MailDispatch { ports: commands.ports.clone(), work: engine.work(), mailer };
        tasks.spawn(mails.run(stopped.clone()));
        for consumer in consumers(installation, &gateway) {
            let mut runner = FeedRunner::new(engine.feed(), engine.records(), consumer);
            runner.load_parked().await?;
            tasks.spawn(runner.run(stopped.clone()));
        }
        let dispatch = WebhookDispatch {
            ports: commands.ports.clone(),
            work: engine.work(),
            post: post.clone(),
            entropy: entropy.clone(),
        };
        tasks.spawn(Arc::new(dispatch).run(stopped.clone()));
        tasks.spawn(Arc::new(erasing(installation)).run(stopped));
        let running = host.clone();
        tasks.spawn(async move { running.run().await });
        let api = Api {
            commands: commands.clone(),
            records: engine.records(),
            search: Some(engine.search()),
            pairing: Arc::new(host.clone()),
            sessions: Some(Arc::new(host.clone())),
            webhooks: post,
            work: engine.work(),
            sandbox: network.sandbox,
            mail,
            features: Arc::new(FeatureSwitches::new(
                commands.ports.clone(),
                args.registration == Registration::Open,
            )),
            trusted_proxies: args.trusted_proxies.clone(),
            cors_origins: args.cors_origins.clone(),
            answer_within: ANSWER_WITHIN,
            rate_limits: Arc::default(),
            ids: commands.ids.clone(),
            ready: Arc::new(AtomicBool::new(false)),
        };
        Ok(Self { api, host, tasks })
    }

    /// Sessions close gracefully; deliveries under way are finished, as far as there is time.
    async fn stop(self) {
        let Self { host, mut tasks, .. } = self;
        let rest = async {
            let all = async { while tasks.join_next().await.is_some() {} };
            if timeout(STOP_TIMEOUT, all).await.is_err() {
                tracing::warn!(
                    "some deliveries did not end in time; they are made again after the next start"
                );
            }
        };
        tokio::join!(host.stop(), rest);
        tasks.abort_all();
    }
}

fn erasing(Installation { engine, commands, .. }: &Installation) -> Erasing {
    Erasing { commands: commands.clone(), keys: engine.keys(), erasure: engine.erasure() }
}

fn consumers(installation: &Installation, gateway: &Arc<dyn Gateway>) -> [Arc<dyn Consumer>; 10] {
    let (ports, engine) = (&installation.commands.ports, &installation.engine);
    [
        Arc::new(ApiKeyProjection { ports: ports.clone(), records: engine.records() }),
        Arc::new(AuditProjection { ports: ports.clone(), records: engine.records() }),
        Arc::new(DirectoryProjection { ports: ports.clone(), records: engine.records() }),
        Arc::new(erasing(installation)),
        Arc::new(MailFanOut { work: engine.work() }),
        Arc::new(MessageProjection { ports: ports.clone(), records: engine.records() }),
        Arc::new(SearchProjection { ports: ports.clone(), search: engine.search() }),
        Arc::new(SessionProjection {
            ports: ports.clone(),
            records: engine.records(),
            gateway: gateway.clone(),
        }),
        Arc::new(Delivery { ports: ports.clone(), records: engine.records(), gateway: gateway.clone() }),
        Arc::new(WebhookFanOut { ports: ports.clone(), records: engine.records(), work: engine.work() }),
    ]
}

#[cfg(feature = "sandbox")]
async fn open_network(
    args: &UpArgs,
    installation: &Installation,
    key: waxwing_signed_http::SigningKey,
) -> Result<(Network, Option<crate::sandbox::Served>)> {
    use crate::sandbox::Served;
    let (clock, entropy) = (installation.clock.clone(), installation.entropy.clone());
    let (base_url, key, served) = match (&args.sandbox, &args.sandbox_key_file) {
        (Some(url), Some(file)) => (url.clone(), internal::read_key(file)?, None),
        _ => {
            let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
            let served =
                Served::start(&args.data_dir, listen, key.clone(), clock.clone(), entropy.clone(), None)
                    .await?;
            (format!("http://{}", served.address), key, Some(served))
        },
    };
    let client = internal::client(&base_url, key, clock, entropy)?;
    let endpoints = Arc::new(waxwing_host::SandboxEndpoints::new(&base_url, client.clone()));
    Ok((Network { endpoints, sandbox: Some(Arc::new(waxwing_runtime::RemoteSandbox(client))) }, served))
}

#[cfg(feature = "sandbox")]
async fn stop_network(served: Option<crate::sandbox::Served>) {
    if let Some(served) = served {
        let _ = timeout(NETWORK_STOP_TIMEOUT, served.stop()).await;
    }
}

#[cfg(not(feature = "sandbox"))]
async fn open_network(
    _args: &UpArgs,
    _installation: &Installation,
    _key: waxwing_signed_http::SigningKey,
) -> Result<(Network, ())> {
    Ok((Network { endpoints: Arc::new(waxwing_host::WhatsappEndpoints), sandbox: None }, ()))
}

#[cfg(not(feature = "sandbox"))]
async fn stop_network(_: ()) {}

/// What happens at the start and the stop, for whoever watches.
struct Progress {
    began: std::time::Instant,
    shown: bool,
}

impl Progress {
    fn start() -> Self {
        Self { began: std::time::Instant::now(), shown: std::io::stderr().is_terminal() }
    }

    fn step(&self, what: &str) {
        match self.shown {
            true => eprintln!("  {:>6.2} s  {what}", self.began.elapsed().as_secs_f64()),
            false => tracing::info!(what, "waxwing"),
        }
    }
}

fn print_welcome(bootstrapped: &Bootstrapped, data_dir: &Path) {
    let Bootstrapped { credentials, fresh, .. } = bootstrapped;
    let base_url = &credentials.base_url;
    let file = data_dir.join("credentials.json");
    let network = match waxwing_whatsapp::NETWORK {
        WhatsappNetwork::Sandbox => "the sandbox network (no phone needed, no number at risk)",
        WhatsappNetwork::Whatsapp => "WhatsApp (live)",
    };
    println!("\nWaxwing is ready on {network}.\n");
    println!("  API reference   {base_url}/api/docs");
    println!("  API             {base_url}/api/v1");
    println!(
        "  credentials     {}{}",
        file.display(),
        if *fresh { "  (new: an API key and an admin password)" } else { "" }
    );
    println!("\nFirst steps: the two-minute walk in README.md. Stop with Ctrl-C.\n");
}
