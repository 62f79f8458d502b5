//! Data keys: kept by the tables, wrapped by KMS, gone when destroyed.

use std::time::Duration;

use waxwing_app::ports::PortError;
use waxwing_aws::{AwsEngine, AwsSettings};
use waxwing_domain::AccountId;

use crate::{
    fixture::{Fixture, account, entropy},
    on_both,
};

on_both!(
    another_process_opens_what_this_one_sealed,
    destroyed_keys_open_nothing_any_more,
    a_missing_key_is_named,
);

async fn another_process_opens_what_this_one_sealed(fixture: Fixture) {
    let ours = fixture.engine.secrets();
    let sealed = ours.seal(account(), b"context", b"text").await.unwrap();
    assert_eq!(sealed.key_id, "dk1");
    assert_eq!(fixture.network.calls(), ["Query", "GenerateDataKey", "PutItem"]);
    ours.seal(account(), b"", b"").await.unwrap();
    assert_eq!(fixture.network.calls(), [""; 0], "the key is in memory");
    let theirs = fixture.another_engine().await.secrets();
    assert_eq!(theirs.open(account(), b"context", &sealed).await.unwrap(), b"text");
    assert_eq!(fixture.network.calls(), ["GetItem", "Decrypt"]);
    assert_eq!(theirs.seal(account(), b"", b"").await.unwrap().key_id, "dk1");
    assert_eq!(theirs.keyed_hash("purpose", b"data"), ours.keyed_hash("purpose", b"data"));
}

async fn destroyed_keys_open_nothing_any_more(fixture: Fixture) {
    let other = fixture.another_engine().await;
    let neighbour = AccountId::derived(1, &[b"neighbour"]);
    let ours = fixture.engine.secrets().seal(account(), b"", b"ours").await.unwrap();
    let theirs = fixture.engine.secrets().seal(neighbour, b"", b"theirs").await.unwrap();
    other.secrets().open(account(), b"", &ours).await.unwrap();
    fixture.engine.keys().destroy(account()).await.unwrap();
    let opened = fixture.engine.secrets().open(account(), b"", &ours).await;
    assert!(matches!(opened, Err(PortError::Erased(_))), "{opened:?}");
    fixture.clock.advance(Duration::from_secs(301));
    let opened = other.secrets().open(account(), b"", &ours).await;
    assert!(matches!(opened, Err(PortError::Erased(_))), "another process forgets in time: {opened:?}");
    let anew = other.secrets().seal(account(), b"", b"anew").await;
    assert!(matches!(anew, Err(PortError::Erased(_))), "{anew:?}");
    assert_eq!(fixture.engine.secrets().open(neighbour, b"", &theirs).await.unwrap(), b"theirs");
}

async fn a_missing_key_is_named(fixture: Fixture) {
    let connect = |settings: AwsSettings| {
        AwsEngine::connect_with(&fixture.config, settings, fixture.clock.clone(), entropy())
    };
    let secretless = AwsSettings { hash_key_secret_id: "not-made".to_owned(), ..fixture.settings.clone() };
    let error = connect(secretless).await.err().unwrap();
    assert!(error.to_string().contains("secret not-made does not exist"), "{error}");
    let kms_key_id = "00000000-0000-0000-0000-000000000000".to_owned();
    let keyless = AwsSettings { kms_key_id: kms_key_id.clone(), ..fixture.settings.clone() };
    let error = connect(keyless).await.unwrap().secrets().seal(account(), b"", b"").await.unwrap_err();
    assert!(error.to_string().contains(&format!("KMS key {kms_key_id} does not exist")), "{error}");
}
