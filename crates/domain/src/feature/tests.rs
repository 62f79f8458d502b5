use cqrs_es::test::TestFramework;

use super::*;

fn switch(enabled: bool, second: i64) -> SwitchFeature {
    SwitchFeature { feature: Feature::Sending, enabled, at: Timestamp::from_second(second).unwrap() }
}

fn switched(enabled: bool, second: i64) -> FeaturesEvent {
    let SwitchFeature { feature, enabled, at } = switch(enabled, second);
    FeatureSwitched { feature, enabled, at }.into()
}

#[test]
fn a_feature_is_switched_once_each_way() {
    let given = |events| TestFramework::<Features>::with(()).given(events);
    given(vec![]).when(switch(false, 1)).then_expect_events(vec![switched(false, 1)]);
    given(vec![]).when(switch(true, 1)).then_expect_events(vec![switched(true, 1)]);
    given(vec![switched(false, 1)]).when(switch(false, 2)).then_expect_events(vec![]);
    given(vec![switched(false, 1)]).when(switch(true, 2)).then_expect_events(vec![switched(true, 2)]);
    let mut features = Features::default();
    features.apply_event(switched(false, 1));
    assert_eq!(features.switched(), &BTreeMap::from([(Feature::Sending, false)]));
}

#[test]
fn features_are_found_by_the_names_under_which_they_are_stored() {
    for feature in Feature::ALL {
        assert_eq!(Feature::named(feature.as_str()), Some(feature));
        assert_eq!(serde_json::to_value(feature).unwrap(), feature.as_str());
    }
    assert_eq!(Feature::named("flying"), None);
}
