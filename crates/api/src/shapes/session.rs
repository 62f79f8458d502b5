use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waxwing_app::views::{Health, HealthState, LiveSession, SessionView};
use waxwing_domain::{
    PhoneNumber, SessionId,
    session::{ProxyUrl, SessionSettings, SessionStatus, SettingsChange},
};

use super::{
    PersonOut,
    object::{maybe_object, object},
    yes,
};

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
    #[serde(default, deserialize_with = "maybe_object")]
    #[schema(value_type = Option<SessionSettingsShape>)]
    pub(crate) settings: Option<SessionSettings>,
}

/// How a session behaves.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionSettings)]
pub(crate) struct SessionSettingsShape {
    /// The name under which the phone lists the linked device; told when the phone links it. Up to 50 characters.
    #[schema(example = "Shop desk", required = false)]
    device_name: Option<String>,
    /// Through which proxy the session reaches WhatsApp: `http://host:port` or `socks5://host:port`, with `user:password@`
    /// before the host where the proxy wants it. The password is not shown again. Proxies on private addresses are refused,
    /// except by a sandbox.
    #[schema(value_type = Option<String>, example = "socks5://user:***@proxy.example:1080", required = false)]
    proxy: Option<ProxyUrl>,
    /// Contacts see the account as online while the session is connected. Without it the owner's phone goes on ringing for
    /// new messages.
    #[schema(default = false, required = false)]
    always_online: bool,
    /// Each message that comes in is marked as read once it is recorded.
    #[schema(default = false, required = false)]
    auto_read: bool,
    /// Calls are declined.
    #[schema(default = false, required = false)]
    reject_calls: bool,
    /// Messages of groups are not recorded.
    #[schema(default = false, required = false)]
    ignore_groups: bool,
    /// Messages to broadcast lists, and status updates, are not recorded.
    #[schema(default = false, required = false)]
    ignore_broadcasts: bool,
    /// Messages of channels are not recorded.
    #[schema(default = false, required = false)]
    ignore_channels: bool,
    /// What the phone hands over of earlier conversations when it links the session is recorded, with the origin `history`.
    #[schema(default = false, required = false)]
    import_history: bool,
    /// Receivers are told of what was imported, too.
    #[schema(default = false, required = false)]
    history_webhooks: bool,
}

impl From<SessionSettings> for SessionSettingsShape {
    fn from(settings: SessionSettings) -> Self {
        Self {
            device_name: settings.device_name,
            proxy: settings.proxy.as_ref().map(ProxyUrl::shown),
            always_online: settings.always_online,
            auto_read: settings.auto_read,
            reject_calls: settings.reject_calls,
            ignore_groups: settings.ignore_groups,
            ignore_broadcasts: settings.ignore_broadcasts,
            ignore_channels: settings.ignore_channels,
            import_history: settings.import_history,
            history_webhooks: settings.history_webhooks,
        }
    }
}

/// What should change in a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeSession)]
pub(crate) struct ChangeSessionIn {
    /// Settings that should change; the others stay as they are.
    #[serde(deserialize_with = "object")]
    #[schema(value_type = SessionSettingsShape)]
    pub(crate) settings: SettingsChange,
}

/// For which phone a code is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPairingCode)]
pub(crate) struct PairingCodeIn {
    /// The phone's number.
    #[schema(value_type = String, example = "+15550001111")]
    pub(crate) phone_number: PhoneNumber,
}

/// A code to type into the phone.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PairingCode)]
pub(crate) struct PairingCodeOut {
    /// Eight characters.
    #[schema(example = "K7PM2XQ4")]
    pub(crate) code: String,
    /// From when on the phone no longer accepts it.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
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
    /// Until when WhatsApp restricts the account, where it said so.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    restricted_until: Option<Timestamp>,
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
    /// When the last frame came; up to three minutes old while nothing happens.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_frame_at: Option<Timestamp>,
    /// Why it is not healthy.
    #[schema(required)]
    reason: Option<String>,
}

impl From<Health> for HealthOut {
    fn from(health: Health) -> Self {
        let Health { state, last_frame_at, reason } = health;
        Self { state, last_frame_at, reason }
    }
}

impl SessionOut {
    /// What was recorded, and what the host says right now, where one looks after it.
    pub(crate) fn new(view: SessionView, live: Option<LiveSession>) -> Self {
        let (status, reason) = view.status_with(live.as_ref());
        Self {
            id: view.id,
            name: view.name,
            network: view.network.as_str(),
            restricted_until: view.until.filter(|_| status == SessionStatus::Restricted),
            status: status.as_str(),
            reason,
            health: live.map(|live| live.health).unwrap_or_default().into(),
            me: view.me.as_ref().map(PersonOut::from),
            settings: view.settings.into(),
            created_at: view.created_at,
        }
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
