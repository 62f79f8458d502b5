//! Data keys: kept by the tables, wrapped by KMS, gone when destroyed.

use std::{sync::Mutex, time::Duration};

use waxwing_admin::{Standing, rotate_data_keys};
use waxwing_app::ports::{Guard, Key, PortError, Row, Write};
use waxwing_aws::{AwsEngine, AwsSettings};
use waxwing_domain::AccountId;

use crate::{
    fixture::{Fixture, account, entropy},
    network::Fault,
    on_both,
};

on_both!(
    another_process_opens_what_this_one_sealed,
    destroyed_keys_open_nothing_any_more,
    another_data_key_is_used_by_all_within_five_minutes,
    everybody_gets_another_data_key_whatever_else_is_in_the_table,
    a_rotation_whose_answer_was_lost_makes_one_key,
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

async fn another_data_key_is_used_by_all_within_five_minutes(fixture: Fixture) {
    let other = fixture.another_engine().await.secrets();
    let before = other.seal(account(), b"", b"before").await.unwrap();
    fixture.engine.keys().rotate(account()).await.unwrap();
    let after = fixture.engine.secrets().seal(account(), b"", b"after").await.unwrap();
    assert_eq!([before.key_id.as_str(), after.key_id.as_str()], ["dk1", "dk2"], "at once where it was made");
    assert_eq!(
        other.open(account(), b"", &after).await.unwrap(),
        b"after",
        "others know a key that is newer"
    );
    fixture.clock.advance(Duration::from_secs(301));
    assert_eq!(other.seal(account(), b"", b"").await.unwrap().key_id, "dk2");
    for (sealed, text) in [(before, b"before".as_slice()), (after, b"after")] {
        assert_eq!(other.open(account(), b"", &sealed).await.unwrap(), text);
    }
}

async fn everybody_gets_another_data_key_whatever_else_is_in_the_table(fixture: Fixture) {
    let (secrets, keys) = (fixture.engine.secrets(), fixture.engine.keys());
    let owner = |number| AccountId::derived(number, &[b"owner"]);
    for number in 0..4 {
        secrets.seal(owner(number), b"", b"").await.unwrap();
    }
    keys.destroy(owner(3)).await.unwrap();
    let others = (0..1_000).map(|number| {
        // Looks like the first data key of somebody.
        let key = Key::new(format!("{}/{number}/data-keys/not", owner(0)), "0000000001");
        let row = Row { key, value: vec![1], version: 1, indexes: vec![], expires_at: None };
        Write::Put(row, Guard::Always)
    });
    fixture.engine.records().write_each(others.collect()).await.unwrap();
    fixture.network.calls();
    let told = Mutex::new(Vec::new());
    let report = |standing: Standing| told.lock().unwrap().push(standing.count);
    let rotated = rotate_data_keys(&*keys, None, &report).await.unwrap();
    assert_eq!(rotated.data_keys, 3);
    let scans = fixture.network.calls().iter().filter(|call| *call == "Scan").count();
    assert_eq!(told.lock().unwrap().len(), scans);
    assert!(scans > 1, "more than one page: {scans}");
    assert_eq!(told.lock().unwrap().last(), Some(&3));
    for number in 0..3 {
        assert_eq!(secrets.seal(owner(number), b"", b"").await.unwrap().key_id, "dk2");
    }
    let one = rotate_data_keys(&*keys, Some(owner(1)), &|_| {}).await.unwrap();
    assert_eq!(one.data_keys, 1);
    assert_eq!(secrets.seal(owner(1), b"", b"").await.unwrap().key_id, "dk3");
    assert!(rotate_data_keys(&*keys, Some(owner(3)), &|_| {}).await.is_err(), "erased");
    assert!(rotate_data_keys(&*keys, Some(owner(4)), &|_| {}).await.is_err(), "nobody");
}

async fn a_rotation_whose_answer_was_lost_makes_one_key(fixture: Fixture) {
    fixture.engine.secrets().seal(account(), b"", b"").await.unwrap();
    fixture.network.disturb("TransactWriteItems", Fault::AnswerLost, 1);
    fixture.engine.keys().rotate(account()).await.unwrap();
    assert_eq!(fixture.engine.secrets().seal(account(), b"", b"").await.unwrap().key_id, "dk2");
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
