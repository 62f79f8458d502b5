use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waxwing_app::views::ApiKeyView;
use waxwing_domain::{Network, SessionId, api_key::mode_of};

/// Which network a key reaches.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ApiKeyMode {
    /// The sandbox only.
    Test,
    /// WhatsApp only.
    Live,
}

impl From<ApiKeyMode> for Network {
    fn from(mode: ApiKeyMode) -> Self {
        match mode {
            ApiKeyMode::Test => Self::Sandbox,
            ApiKeyMode::Live => Self::Whatsapp,
        }
    }
}

impl From<Network> for ApiKeyMode {
    fn from(network: Network) -> Self {
        match network {
            Network::Sandbox => Self::Test,
            Network::Whatsapp => Self::Live,
        }
    }
}

/// An API key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateApiKey)]
pub(crate) struct CreateApiKeyIn {
    /// For people.
    #[schema(min_length = 1, max_length = 100, example = "shop backend")]
    pub(crate) name: String,
    /// Which network it reaches. A deployment may serve one of them only.
    pub(crate) mode: ApiKeyMode,
    /// `resource:read`, `resource:write`, `messages:send`, or `*`. None that the caller has not got.
    #[schema(min_items = 1, max_items = 64, example = json!(["messages:send", "messages:read"]))]
    pub(crate) scopes: Vec<String>,
    /// Which sessions it may touch; all when absent.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 1000)]
    pub(crate) session_ids: Option<Vec<SessionId>>,
    /// From which addresses it may be used: IPv4 and IPv6, in CIDR notation; from all when absent.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 64, example = json!(["203.0.113.0/24", "2001:db8::/32"]))]
    pub(crate) ip_allow_list: Option<Vec<String>>,
    /// From when on it does not work.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) expires_at: Option<Timestamp>,
    /// How many requests it may make in a minute, beside the limit of the account.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub(crate) rate_limit_per_min: Option<u32>,
}

/// How a key is rotated.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = RotateApiKey)]
pub(crate) struct RotateApiKeyIn {
    /// Seconds for which the key from before works, too: an hour unless said otherwise, 0 ends it at once.
    #[schema(value_type = Option<u32>, maximum = 604_800, default = 3_600)]
    pub(crate) overlap_s: Option<u32>,
}

/// An API key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct ApiKeyOut {
    /// Its id.
    #[schema(example = "key_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    id: String,
    /// For people.
    name: String,
    /// Which network it reaches.
    mode: ApiKeyMode,
    /// How the key begins, to tell keys apart.
    #[schema(example = "wx_test_abcdefghjkmnpqrs")]
    prefix: String,
    /// What it may do.
    scopes: Vec<String>,
    /// Which sessions it may touch; all when null.
    #[schema(value_type = Option<Vec<String>>, required)]
    session_ids: Option<Vec<SessionId>>,
    /// From which addresses it may be used; from all when null.
    #[schema(required)]
    ip_allow_list: Option<Vec<String>>,
    /// From when on it does not work.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    expires_at: Option<Timestamp>,
    /// How many requests it may make in a minute.
    #[schema(required)]
    rate_limit_per_min: Option<u32>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last rotated.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    rotated_at: Option<Timestamp>,
    /// The key in full, when it was made or rotated and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, example = "wx_test_…")]
    key: Option<String>,
}

impl ApiKeyOut {
    pub(crate) fn new(view: &ApiKeyView, key: Option<String>) -> Self {
        let view = view.clone();
        Self {
            id: view.id.to_string(),
            name: view.name,
            mode: view.network.into(),
            prefix: format!("wx_{}_{}", mode_of(view.network), view.lookup_id),
            scopes: view.scopes,
            session_ids: view.session_ids,
            ip_allow_list: view.ip_allow_list,
            expires_at: view.expires_at,
            rate_limit_per_min: view.rate_limit_per_min,
            created_at: view.created_at,
            rotated_at: view.rotated_at,
            key,
        }
    }
}
