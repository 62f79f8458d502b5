use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Feature;

events! {
    /// What happened to the deployment's switches.
    pub enum FeaturesEvent {
        /// Something is on or off from now.
        Switched(FeatureSwitched) = "features.switched" v "1",
    }
}

/// See [`FeaturesEvent::Switched`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureSwitched {
    /// Which.
    pub feature: Feature,
    /// Whether it is on from now.
    pub enabled: bool,
    /// When.
    pub at: Timestamp,
}
