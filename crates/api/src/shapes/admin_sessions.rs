use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use waxwing_app::queries::SessionOfAll;
use waxwing_domain::{AccountId, Network, session::SessionStatus};

use super::HealthOut;
use crate::Problem;

/// Which sessions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AdminSessionsQuery {
    /// Most entries of the page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    pub(crate) limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
    /// Of this account.
    account_id: Option<String>,
    /// In this status right now: `stopped`, `connecting`, `pairing`, `passkey_required`, `connected`, `reconnecting`,
    /// `logged_out`, `restricted`, `client_outdated` or `failed`.
    status: Option<String>,
    /// Of this network: `sandbox` or `whatsapp`.
    network: Option<String>,
}

impl AdminSessionsQuery {
    pub(crate) fn account_id(&self) -> Result<Option<AccountId>, Problem> {
        let id = self.account_id.as_deref().map(AccountId::parse).transpose();
        id.map_err(|error| Problem::field("/query/account_id", error.to_string()))
    }

    pub(crate) fn status(&self) -> Result<Option<SessionStatus>, Problem> {
        let named = |name: &str| SessionStatus::ALL.into_iter().find(|status| status.as_str() == name);
        known(self.status.as_deref(), named, || {
            let names = SessionStatus::ALL.map(SessionStatus::as_str).join(", ");
            Problem::field("/query/status", format!("expected one of {names}"))
        })
    }

    pub(crate) fn network(&self) -> Result<Option<Network>, Problem> {
        let named = |name: &str| {
            [Network::Sandbox, Network::Whatsapp].into_iter().find(|network| network.as_str() == name)
        };
        known(self.network.as_deref(), named, || {
            Problem::field("/query/network", "expected sandbox or whatsapp")
        })
    }
}

fn known<T>(
    text: Option<&str>,
    named: impl Fn(&str) -> Option<T>,
    unknown: impl Fn() -> Problem,
) -> Result<Option<T>, Problem> {
    text.map(|text| named(text).ok_or_else(unknown)).transpose()
}

/// A session of any account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminSession)]
pub(crate) struct AdminSessionOut {
    /// Its id.
    #[schema(example = "ses_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    id: String,
    /// Whose it is.
    #[schema(example = "acc_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    account_id: String,
    /// Its name.
    #[schema(example = "shop")]
    name: String,
    /// Which WhatsApp.
    #[schema(value_type = String, pattern = "^(sandbox|whatsapp)$", example = "sandbox")]
    network: &'static str,
    /// What it is doing, as in `GET /sessions/{id}`.
    #[schema(value_type = String, example = "connected")]
    status: &'static str,
    /// Why, for programs, where there is a reason.
    #[schema(required)]
    reason: Option<String>,
    /// Whether it really hears WhatsApp.
    health: HealthOut,
    /// The host that holds it; null while it is at rest, or between two hosts.
    #[schema(required, example = "standalone")]
    host: Option<String>,
    /// Since when that host holds it.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    held_since: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<SessionOfAll> for AdminSessionOut {
    fn from(session: SessionOfAll) -> Self {
        let SessionOfAll { account, view, status: (status, reason), health, host } = session;
        let (host, held_since) = host.unzip();
        Self {
            id: view.id.to_string(),
            account_id: account.to_string(),
            name: view.name,
            network: view.network.as_str(),
            status: status.as_str(),
            reason,
            health: health.into(),
            host,
            held_since: held_since.flatten(),
            created_at: view.created_at,
        }
    }
}
