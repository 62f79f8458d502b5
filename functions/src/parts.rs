use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use waxwing_api::{Api, CorsOrigin, RateLimits};
use waxwing_app::{
    features::FeatureSwitches,
    ports::{SandboxControl, WebhookPost},
    processes::WebhookDispatch,
};
use waxwing_aws::Deployment;
use waxwing_domain::Network;
use waxwing_runtime::{
    GuardedPost, LogFormat, OsEntropy, RemoteSandbox, SystemClock, environment, install_tls,
    signed_client_maker, start_telemetry,
};

/// The gateway gives up after 30 s, and the function ends before.
const ANSWER_WITHIN: Duration = Duration::from_secs(25);

/// What ends a function. Lambda shows it in the log, and starts the function anew.
pub type Error = lambda_runtime::Error;

/// Telemetry, settings, engine.
pub async fn connect() -> Result<Deployment, Error> {
    install_tls();
    start_telemetry(LogFormat::Json);
    let (clock, entropy) = (Arc::new(SystemClock::default()), Arc::new(OsEntropy));
    let maker = signed_client_maker(clock.clone(), entropy.clone())?;
    Deployment::connect(environment, clock, entropy, &maker).await.map_err(|error| {
        tracing::error!(%error, "the function cannot start");
        error.into()
    })
}

/// The way out to receivers. Those of a sandbox may run on the developer's machine.
fn post(deployment: &Deployment) -> Result<Arc<dyn WebhookPost>, Error> {
    let allow_loopback = deployment.commands.network == Network::Sandbox;
    Ok(Arc::new(GuardedPost::new(allow_loopback)?))
}

/// Which sites may call from a browser, separated by commas.
fn cors_origins() -> Result<Vec<CorsOrigin>, Error> {
    let origins = environment("WAXWING_CORS_ORIGINS").unwrap_or_default();
    let origins = origins.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    Ok(origins.map(str::parse).collect::<Result<_, _>>()?)
}

/// What the API's handlers need.
pub fn api(deployment: &Deployment) -> Result<Api, Error> {
    let commands = deployment.commands.clone();
    let sandbox = deployment.sandbox.clone();
    let registration_open = environment("WAXWING_REGISTRATION").as_deref() == Some("open");
    Ok(Api {
        records: deployment.records(),
        search: deployment.search.clone(),
        pairing: deployment.pairing.clone(),
        sessions: None,
        webhooks: post(deployment)?,
        work: deployment.work(),
        sandbox: sandbox.map(|client| Arc::new(RemoteSandbox(client)) as Arc<dyn SandboxControl>),
        mail: deployment.mail.clone(),
        features: Arc::new(FeatureSwitches::new(commands.ports.clone(), registration_open)),
        // The gateway itself says who called.
        trusted_proxies: Vec::new(),
        cors_origins: cors_origins()?,
        answer_within: ANSWER_WITHIN,
        rate_limits: Arc::new(RateLimits::shared(deployment.records())),
        ids: commands.ids.clone(),
        commands,
        ready: Arc::new(AtomicBool::new(true)),
    })
}

/// What makes deliveries.
pub fn webhook_dispatch(deployment: &Deployment) -> Result<WebhookDispatch, Error> {
    Ok(WebhookDispatch {
        ports: deployment.commands.ports.clone(),
        work: deployment.work(),
        post: post(deployment)?,
        entropy: deployment.commands.entropy.clone(),
    })
}
