//! What is switched off, as several processes know it.

use std::{collections::BTreeMap, time::Duration};

use waxwing_app::{
    execute::{Cause, CommandPorts},
    features::FeatureSwitches,
    queries,
    recent::RECENT,
};
use waxwing_domain::{Feature, account::AccountError};

use crate::world::{World, account};

async fn is_on(switches: &FeatureSwitches, feature: Feature) -> bool {
    switches.is_on(feature, &BTreeMap::new()).await.unwrap()
}

#[tokio::test]
async fn a_switch_counts_at_once_where_it_was_made_and_soon_elsewhere() {
    let world = World::new();
    let (journal, secrets) = (world.engine.journal(), world.engine.secrets());
    let elsewhere = CommandPorts::new(journal, secrets, world.clock.clone());
    let (here, there) =
        (FeatureSwitches::new(world.ports.clone(), true), FeatureSwitches::new(elsewhere, true));
    for switches in [&here, &there] {
        assert!(is_on(switches, Feature::Sending).await && is_on(switches, Feature::Registration).await);
    }
    here.switch(Feature::Sending, false, &Cause::system()).await.unwrap();
    assert!(!is_on(&here, Feature::Sending).await);
    assert!(is_on(&here, Feature::Webhooks).await, "and nothing else");
    assert!(is_on(&there, Feature::Sending).await, "what was read a moment ago is good for a moment");
    world.clock.advance(RECENT.unsigned_abs() - Duration::from_millis(1));
    assert!(is_on(&there, Feature::Sending).await);
    world.clock.advance(Duration::from_millis(1));
    assert!(!is_on(&there, Feature::Sending).await);
    // Who looks at all of them sees what is.
    here.switch(Feature::Sending, true, &Cause::system()).await.unwrap();
    let all = there.all().await.unwrap();
    let sending = all.iter().find(|state| state.feature == Feature::Sending).unwrap();
    assert!(sending.enabled && sending.switched && all.len() == Feature::ALL.len(), "{all:?}");
    // What the deployment is started with holds until the operator switches.
    let closed = FeatureSwitches::new(world.ports.clone(), false);
    assert!(!is_on(&closed, Feature::Registration).await);
    closed.switch(Feature::Registration, true, &Cause::system()).await.unwrap();
    assert!(is_on(&FeatureSwitches::new(world.ports.clone(), false), Feature::Registration).await);
}

#[tokio::test]
async fn an_accounts_own_switch_goes_before_the_deployments() {
    let world = World::new();
    let made = world.commands.draw_account();
    world.commands.finish_account(made, "Shop", &Cause::system()).await.unwrap();
    let switches = FeatureSwitches::new(world.ports.clone(), true);
    let own = async || queries::account(&world.ports, made.account).await.unwrap().features().clone();
    let switch = async |enabled| {
        world.commands.switch_feature(made.account, (Feature::Sending, enabled), &Cause::system()).await
    };
    for (deployment, of_account, expected) in
        [(true, Some(false), false), (false, Some(true), true), (false, None, false), (true, None, true)]
    {
        switches.switch(Feature::Sending, deployment, &Cause::system()).await.unwrap();
        switch(of_account).await.unwrap();
        assert_eq!(switches.is_on(Feature::Sending, &own().await).await.unwrap(), expected);
        let all = switches.all_of(&own().await).await.unwrap();
        let sending = all.iter().find(|state| state.feature == Feature::Sending).unwrap();
        assert_eq!((sending.enabled, sending.switched), (expected, of_account.is_some()));
        assert!(all.iter().all(|state| state.feature.is_of_accounts()));
    }
    let registration = (Feature::Registration, Some(false));
    let refused = world.commands.switch_feature(made.account, registration, &Cause::system()).await;
    assert_eq!(refused.unwrap_err().to_string(), AccountError::NotOfAccounts.to_string());
    let nobody = world.commands.switch_feature(account(), (Feature::Sending, None), &Cause::system()).await;
    assert_eq!(nobody.unwrap_err().to_string(), AccountError::NotFound.to_string());
}
