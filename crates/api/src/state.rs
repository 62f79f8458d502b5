use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use waxwing_app::{
    commands::Commands,
    features::FeatureSwitches,
    id_source::IdSource,
    kept_mail::KeptMail,
    ports::{CountsSessions, Pairing, Records, SandboxControl, Search, WebhookPost, Work},
};

use crate::{CorsOrigin, RateLimits, client_address::TrustedProxy};

/// What the handlers need.
#[derive(Clone)]
pub struct Api {
    /// Use cases that change something.
    pub commands: Commands,
    /// Read models.
    pub records: Arc<dyn Records>,
    /// Messages by their words, where they are indexed; where not, each message is looked at.
    pub search: Option<Arc<dyn Search>>,
    /// Links sessions.
    pub pairing: Arc<dyn Pairing>,
    /// Counts sessions, where they are in this process.
    pub sessions: Option<Arc<dyn CountsSessions>>,
    /// Jobs, and those that were given up.
    pub work: Arc<dyn Work>,
    /// Looks at the addresses of receivers.
    pub webhooks: Arc<dyn WebhookPost>,
    /// The simulated network, where this process serves one.
    pub sandbox: Option<Arc<dyn SandboxControl>>,
    /// The mails that are kept for the operator.
    pub mail: Arc<KeptMail>,
    /// What is switched off.
    pub features: Arc<FeatureSwitches>,
    /// Whose word on the address of a client is taken.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Which sites may call from a browser.
    pub cors_origins: Vec<CorsOrigin>,
    /// After this time a request is answered with 503, and goes on.
    pub answer_within: Duration,
    /// How much each account may ask for.
    pub rate_limits: Arc<RateLimits>,
    /// Ids of requests.
    pub ids: Arc<IdSource>,
    /// True once everything behind the API runs.
    pub ready: Arc<AtomicBool>,
}

impl Api {
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}
