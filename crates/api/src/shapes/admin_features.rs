use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waxwing_app::features::FeatureState;

use super::AdminAccountOut;

/// What can be switched off.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Features)]
pub(crate) struct FeaturesOut {
    /// By name.
    pub(crate) data: Vec<FeatureOut>,
}

/// A feature.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Feature)]
pub(crate) struct FeatureOut {
    /// Its name.
    #[schema(example = "sending")]
    name: &'static str,
    /// Whether it is on.
    #[schema(example = false)]
    enabled: bool,
    /// Whether it was switched here. An account's feature that was not is as for the deployment, and the deployment's is as it
    /// was started.
    #[schema(example = true)]
    switched: bool,
}

impl From<FeatureState> for FeatureOut {
    fn from(state: FeatureState) -> Self {
        let FeatureState { feature, enabled, switched } = state;
        Self { name: feature.as_str(), enabled, switched }
    }
}

/// Whether a feature is to be on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SwitchFeature, example = json!({ "enabled": false }))]
pub(crate) struct SwitchFeatureIn {
    /// From now on.
    pub(crate) enabled: bool,
}

/// Whether a feature is to be on for an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SwitchAccountFeature, example = json!({ "enabled": false }))]
pub(crate) struct SwitchAccountFeatureIn {
    /// From now on; null for what holds for the deployment.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    pub(crate) enabled: Option<bool>,
}

/// An account, with what is switched for it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminAccountWithFeatures)]
pub(crate) struct AdminAccountWithFeaturesOut {
    #[serde(flatten)]
    pub(crate) account: AdminAccountOut,
    /// What can be switched for an account.
    pub(crate) features: Vec<FeatureOut>,
}
