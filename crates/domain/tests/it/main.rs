//! A stored event stays readable: one committed sample for each event version, decoded for ever.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use waxwing_domain::{
    DomainEvent, account::AccountEvent, api_key::ApiKeyEvent, call::CallEvent, feature::FeaturesEvent,
    message::MessageEvent, session::SessionEvent, user::UserEvent, webhook_endpoint::WebhookEndpointEvent,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples")
}

/// Reads the samples of one aggregate; gives the names of the files it read.
fn check<E: DomainEvent + Serialize + DeserializeOwned>(stored: &[(&str, &str)]) -> Vec<String> {
    let check = |(kind, version): &(&str, &str)| {
        let name = format!("{kind}.v{version}.json");
        let text =
            fs::read_to_string(folder().join(&name)).unwrap_or_else(|_| panic!("there is no sample {name}"));
        let sample: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&sample["type"], &sample["version"]), (&json!(kind), &json!(version)), "{name}");
        let stored = json!({ "type": kind, "data": sample["data"] });
        let event: E =
            serde_json::from_value(stored.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((event.event_type().as_str(), event.event_version().as_str()), (*kind, *version));
        assert_eq!(serde_json::to_value(&event).unwrap(), stored, "{name} is written as it was read");
        name
    };
    stored.iter().map(check).collect()
}

#[test]
fn every_event_version_has_a_sample_that_still_decodes() {
    let checked: BTreeSet<String> = [
        check::<AccountEvent>(AccountEvent::STORED),
        check::<ApiKeyEvent>(ApiKeyEvent::STORED),
        check::<CallEvent>(CallEvent::STORED),
        check::<FeaturesEvent>(FeaturesEvent::STORED),
        check::<MessageEvent>(MessageEvent::STORED),
        check::<SessionEvent>(SessionEvent::STORED),
        check::<UserEvent>(UserEvent::STORED),
        check::<WebhookEndpointEvent>(WebhookEndpointEvent::STORED),
    ]
    .concat()
    .into_iter()
    .collect();
    let committed: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(checked, committed, "a sample that no test reads");
}
