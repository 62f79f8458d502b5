//! What the operator can switch off: for the whole deployment here, for one account in the account's own stream.

mod event;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, convert::Infallible};

pub use event::{FeatureSwitched, FeaturesEvent};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The id of the one stream of the deployment's switches.
pub const FEATURES: &str = "deployment";

/// Something that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// New sessions are made.
    NewSessions,
    /// Strangers make accounts.
    Registration,
    /// Messages are accepted. Those that are accepted already go on.
    Sending,
    /// New webhook endpoints are made.
    Webhooks,
}

impl Feature {
    /// All of them, by name.
    pub const ALL: [Self; 4] = [Self::NewSessions, Self::Registration, Self::Sending, Self::Webhooks];

    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewSessions => "new_sessions",
            Self::Registration => "registration",
            Self::Sending => "sending",
            Self::Webhooks => "webhooks",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.as_str() == name)
    }

    /// True when it can be switched for one account. Who registers has none yet.
    pub fn is_of_accounts(self) -> bool {
        self != Self::Registration
    }
}

/// What can be asked of the deployment's switches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchFeature {
    /// Which.
    pub feature: Feature,
    /// Whether it is on from now.
    pub enabled: bool,
    /// When.
    pub at: Timestamp,
}

/// The deployment's switches. One that was never switched is as the deployment was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    switched: BTreeMap<Feature, bool>,
}

impl Features {
    /// Those that were switched, and whether they are on.
    pub fn switched(&self) -> &BTreeMap<Feature, bool> {
        &self.switched
    }

    /// Which events follow from the command.
    pub fn decide(&self, command: SwitchFeature) -> Result<Vec<FeaturesEvent>, Infallible> {
        let SwitchFeature { feature, enabled, at } = command;
        Ok(match self.switched.get(&feature) == Some(&enabled) {
            true => vec![],
            false => vec![FeatureSwitched { feature, enabled, at }.into()],
        })
    }

    fn apply_event(&mut self, event: FeaturesEvent) {
        let FeaturesEvent::Switched(FeatureSwitched { feature, enabled, .. }) = event;
        self.switched.insert(feature, enabled);
    }
}

aggregate!(Features, "features", SwitchFeature, FeaturesEvent, Infallible);
