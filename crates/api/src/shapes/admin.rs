use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use waxwing_app::{
    ports::DeadJob,
    views::{AccountView, HostView, UserView},
};

/// Which entries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchQuery {
    /// Most entries of the page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    pub(crate) limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
    /// Only those in which this text occurs: an id, a name, an address, or a part of one.
    pub(crate) q: Option<String>,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminAccount)]
pub(crate) struct AdminAccountOut {
    /// The id.
    #[schema(example = "acc_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    id: String,
    /// The name.
    name: String,
    /// Who made it.
    owner_id: String,
    /// Nobody is let in for now.
    suspended: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<AccountView> for AdminAccountOut {
    fn from(view: AccountView) -> Self {
        let AccountView { id, name, owner, suspended, created_at } = view;
        Self { id: id.to_string(), name, owner_id: owner.to_string(), suspended, created_at }
    }
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminUser)]
pub(crate) struct AdminUserOut {
    /// The id.
    #[schema(example = "usr_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    id: String,
    /// The address.
    email: String,
    /// The name.
    #[schema(required)]
    name: Option<String>,
    /// Whether the address is confirmed.
    email_verified: bool,
    /// Whether a second factor is needed.
    totp_enabled: bool,
    /// When the user registered.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<UserView> for AdminUserOut {
    fn from(view: UserView) -> Self {
        let UserView { id, email, name, email_verified, totp_enabled, created_at } = view;
        Self { id: id.to_string(), email, name, email_verified, totp_enabled, created_at }
    }
}

/// The session hosts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hosts)]
pub(crate) struct HostsOut {
    /// By name.
    pub(crate) data: Vec<HostOut>,
}

/// A session host that is alive.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Host)]
pub(crate) struct HostOut {
    /// Its name.
    name: String,
    /// How many sessions it looks after.
    sessions: usize,
    /// It is about to stop, and gives its sessions away.
    draining: bool,
    /// WhatsApp refuses this version of the client: no session connects for a while.
    client_outdated: bool,
}

impl From<(String, HostView)> for HostOut {
    fn from((name, view): (String, HostView)) -> Self {
        let HostView { sessions, draining, outdated, .. } = view;
        Self { name, sessions, draining, client_outdated: outdated }
    }
}

/// The queues.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Queues)]
pub(crate) struct QueuesOut {
    /// All of them.
    pub(crate) data: Vec<QueueOut>,
}

/// A queue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Queue)]
pub(crate) struct QueueOut {
    /// Its name.
    #[schema(example = "webhooks")]
    pub(crate) name: &'static str,
    /// Jobs that were given up, up to 1,000.
    pub(crate) dead_letters: usize,
}

/// Jobs that were given up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetters)]
pub(crate) struct DeadLettersOut {
    /// Up to 1,000.
    pub(crate) data: Vec<DeadLetterOut>,
}

/// A job that was given up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct DeadLetterOut {
    /// Its id.
    id: String,
    /// What it is about: JSON that names things by id.
    payload: String,
    /// How often it was tried.
    attempts: u32,
    /// Why it was given up.
    reason: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<DeadJob> for DeadLetterOut {
    fn from(job: DeadJob) -> Self {
        let DeadJob { id, payload, attempts, reason, at } = job;
        Self { id, payload, attempts, reason, at }
    }
}
