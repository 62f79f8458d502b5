//! What is switched off, for who asks on each request.

use std::collections::BTreeMap;

use waxwing_domain::{
    AccountId, Feature,
    feature::{FEATURES, Features, SwitchFeature},
};

use crate::{
    execute::{Cause, CommandPorts, ExecuteError, Execution, unexpected_claim},
    ports::PortError,
};

/// A feature as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureState {
    /// Which.
    pub feature: Feature,
    /// Whether it is on.
    pub enabled: bool,
    /// Whether the operator switched it here; otherwise it is as one level above says.
    pub switched: bool,
}

/// The deployment's switches. What another process switches counts here [a second](crate::recent::RECENT) later. An account's
/// own switches come with the account, of which each request knows.
pub struct FeatureSwitches {
    ports: CommandPorts,
    registration_open: bool,
}

impl FeatureSwitches {
    /// `registration_open` is what the deployment was started with: it holds until the operator switches.
    pub fn new(ports: CommandPorts, registration_open: bool) -> Self {
        Self { ports, registration_open }
    }

    /// Whether a feature is on, for a caller whose account has these switches of its own.
    pub async fn is_on(&self, feature: Feature, own: &BTreeMap<Feature, bool>) -> Result<bool, PortError> {
        match own.get(&feature) {
            Some(own) => Ok(*own),
            None => {
                let switched = self.ports.load_recent::<Features>(AccountId::SYSTEM, FEATURES).await?;
                Ok(self.of_deployment(feature, &switched).enabled)
            },
        }
    }

    /// All of them for the deployment, as they are right now.
    pub async fn all(&self) -> Result<Vec<FeatureState>, PortError> {
        let (switched, _) = self.ports.load::<Features>(AccountId::SYSTEM, FEATURES).await?;
        Ok(Feature::ALL.map(|feature| self.of_deployment(feature, &switched)).to_vec())
    }

    /// All of them for an account that has these switches of its own.
    pub async fn all_of(&self, own: &BTreeMap<Feature, bool>) -> Result<Vec<FeatureState>, PortError> {
        let all = self.all().await?.into_iter().filter(|state| state.feature.is_of_accounts());
        let of_account = |state: FeatureState| FeatureState {
            enabled: own.get(&state.feature).copied().unwrap_or(state.enabled),
            switched: own.contains_key(&state.feature),
            ..state
        };
        Ok(all.map(of_account).collect())
    }

    /// Switches a feature for the whole deployment. In this process it counts when this returns.
    pub async fn switch(&self, feature: Feature, enabled: bool, cause: &Cause) -> Result<(), PortError> {
        let command = SwitchFeature { feature, enabled, at: self.ports.clock.now() };
        let (account, id, claims) = (AccountId::SYSTEM, FEATURES, Vec::new());
        let execution = Execution::<Features> { account, id, command, fresh: false, claims, cause };
        match self.ports.execute(execution).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Refused(never)) => match never {},
            Err(ExecuteError::ClaimTaken(..)) => Err(unexpected_claim()),
            Err(ExecuteError::Port(error)) => Err(error),
        }
    }

    fn of_deployment(&self, feature: Feature, deployment: &Features) -> FeatureState {
        let switched = deployment.switched().get(&feature).copied();
        let started_with = feature != Feature::Registration || self.registration_open;
        FeatureState { feature, enabled: switched.unwrap_or(started_with), switched: switched.is_some() }
    }
}
