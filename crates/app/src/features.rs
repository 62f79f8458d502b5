//! What is switched off, for who asks on each request.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use waxwing_domain::{
    AccountId, Feature,
    feature::{FEATURES, Features, SwitchFeature},
};

use crate::{
    execute::{Cause, CommandPorts, ExecuteError, Execution, unexpected_claim},
    ports::PortError,
};

/// So long a process goes on with what it knew of the deployment's switches: then a change counts everywhere, and requests cost
/// one read in this time instead of one each. What this very process changes counts there at once. An account's own switches
/// come with the account, which each request reads.
pub const KNOWN_FOR: SignedDuration = SignedDuration::from_secs(5);

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

/// The deployment's switches as this process knows them.
pub struct FeatureSwitches {
    ports: CommandPorts,
    registration_open: bool,
    known: Mutex<Option<(Timestamp, Arc<Features>)>>,
}

impl FeatureSwitches {
    /// `registration_open` is what the deployment was started with: it holds until the operator switches.
    pub fn new(ports: CommandPorts, registration_open: bool) -> Self {
        Self { ports, registration_open, known: Mutex::default() }
    }

    /// Whether a feature is on, for a caller whose account has these switches of its own.
    pub async fn is_on(&self, feature: Feature, own: &BTreeMap<Feature, bool>) -> Result<bool, PortError> {
        match own.get(&feature) {
            Some(own) => Ok(*own),
            None => Ok(self.of_deployment(feature, &*self.known().await?).enabled),
        }
    }

    /// All of them for the deployment, as they are right now.
    pub async fn all(&self) -> Result<Vec<FeatureState>, PortError> {
        self.forget().await;
        let known = self.known().await?;
        Ok(Feature::ALL.map(|feature| self.of_deployment(feature, &known)).to_vec())
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
        let executed = self.ports.execute(execution).await;
        self.forget().await;
        match executed {
            Ok(_) => Ok(()),
            Err(ExecuteError::Refused(never)) => match never {},
            Err(ExecuteError::ClaimTaken(..)) => Err(unexpected_claim()),
            Err(ExecuteError::Port(error)) => Err(error),
        }
    }

    fn of_deployment(&self, feature: Feature, known: &Features) -> FeatureState {
        let switched = known.switched().get(&feature).copied();
        let started_with = feature != Feature::Registration || self.registration_open;
        FeatureState { feature, enabled: switched.unwrap_or(started_with), switched: switched.is_some() }
    }

    async fn forget(&self) {
        *self.known.lock().await = None;
    }

    /// Those who come while it is read wait for the same reading.
    async fn known(&self) -> Result<Arc<Features>, PortError> {
        let mut known = self.known.lock().await;
        let now = self.ports.clock.now();
        if let Some((at, features)) = &*known
            && now.duration_since(*at).abs() < KNOWN_FOR
        {
            return Ok(features.clone());
        }
        let (features, _) = self.ports.load::<Features>(AccountId::SYSTEM, FEATURES).await?;
        let features = Arc::new(features);
        *known = Some((now, features.clone()));
        Ok(features)
    }
}
