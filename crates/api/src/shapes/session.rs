use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waxwing_app::views::{HealthState, LiveSession, SessionView};
use waxwing_domain::{
    PhoneNumber, SessionId,
    session::{SessionSettings, SessionStatus},
};

use super::{PersonOut, yes};

/// A session to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateSession)]
pub(crate) struct CreateSessionIn {
    /// Unique in the account.
    #[schema(min_length = 1, max_length = 100, example = "shop")]
    pub(crate) name: String,
    /// The number that is expected to be linked.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "+15550001111")]
    pub(crate) phone_number: Option<PhoneNumber>,
    /// Whether it should run at once.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub(crate) start: bool,
    /// How it behaves.
    #[serde(default)]
    #[schema(value_type = Option<SessionSettingsShape>)]
    pub(crate) settings: Option<SessionSettings>,
}

/// How a session behaves.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionSettings)]
pub(crate) struct SessionSettingsShape {
    /// The name under which the phone lists the linked device.
    #[schema(example = "Shop desk", required = false)]
    device_name: Option<String>,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionOut {
    /// Its id.
    #[schema(value_type = String, example = "ses_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    id: SessionId,
    /// Its name.
    #[schema(example = "shop")]
    name: String,
    /// Which WhatsApp.
    #[schema(value_type = String, pattern = "^(sandbox|whatsapp)$", example = "sandbox")]
    network: &'static str,
    /// What it is doing: `stopped`, `connecting`, `pairing`, `passkey_required`, `connected`, `reconnecting`,
    /// `logged_out`, `restricted`, `client_outdated` or `failed`.
    #[schema(value_type = String, example = "connected")]
    status: &'static str,
    /// Why, for programs, where there is a reason.
    #[schema(required)]
    reason: Option<String>,
    /// Whether it really hears WhatsApp.
    health: HealthOut,
    /// The person it is linked to.
    #[schema(required)]
    me: Option<PersonOut>,
    /// How it behaves.
    settings: SessionSettingsShape,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Whether a session really hears WhatsApp.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthOut {
    /// `healthy`, `degraded`, `deaf`, `reconnecting` or `restricted`.
    #[schema(value_type = String, example = "healthy")]
    state: HealthState,
    /// When the last frame came, to the minute while nothing happens.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_frame_at: Option<Timestamp>,
    /// Why it is not healthy.
    #[schema(required)]
    reason: Option<String>,
}

impl SessionOut {
    /// What was recorded, and what the host says right now, where one looks after it.
    pub(crate) fn new(view: SessionView, live: Option<LiveSession>) -> Self {
        let (status, reason) = shown(&view, live.as_ref());
        let health = live.map(|live| live.health).unwrap_or_default();
        Self {
            id: view.id,
            name: view.name,
            network: view.network.as_str(),
            status: status.as_str(),
            reason,
            health: HealthOut {
                state: health.state,
                last_frame_at: health.last_frame_at,
                reason: health.reason,
            },
            me: view.me.as_ref().map(PersonOut::from),
            settings: SessionSettingsShape { device_name: view.settings.device_name },
            created_at: view.created_at,
        }
    }
}

fn shown(view: &SessionView, live: Option<&LiveSession>) -> (SessionStatus, Option<String>) {
    match (view.status, live) {
        // A fact that the live row may not know yet: the host that said otherwise is on its way out.
        (SessionStatus::LoggedOut, _) | (_, None) => (view.status, view.reason.clone()),
        (_, Some(live)) => (live.status, live.reason.clone()),
    }
}

/// A code for the phone to scan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QrCode)]
pub(crate) struct QrOut {
    /// What the picture encodes.
    #[schema(example = "2@k7…,…,…,…")]
    pub(crate) code: String,
    /// From when on the phone no longer accepts it; then there is another.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
}
