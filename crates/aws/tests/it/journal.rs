//! The journal on a network and tables that are not at their best.

use aws_sdk_dynamodb::config::Region;
use waxwing_app::ports::{Appended, Claim, ClaimKey, PortError};
use waxwing_aws::{AwsEngine, AwsSettings};

use crate::{
    fixture::{Fixture, account, commit, done, entropy, stream, take},
    network::Fault,
    on_both,
};

on_both!(
    a_new_stream_is_one_put_and_a_known_head_is_not_read_again,
    an_append_whose_answer_was_lost_is_done,
    a_lost_answer_does_not_hide_that_another_was_faster,
    a_throttled_table_is_tried_again,
    what_is_missing_or_not_allowed_is_named,
    a_claim_can_change_hands_within_one_commit,
    a_history_beyond_one_answer_is_read_whole,
);

async fn a_new_stream_is_one_put_and_a_known_head_is_not_read_again(fixture: Fixture) {
    let journal = fixture.engine.journal();
    done(journal.append(commit("head", 1, "1"), vec![]).await.unwrap());
    assert_eq!(fixture.network.calls(), ["PutItem"]);
    done(journal.append(commit("head", 2, "2"), vec![]).await.unwrap());
    assert_eq!(fixture.network.calls(), ["PutItem"], "this process wrote the head itself");
    let journal = fixture.another_engine().await.journal();
    done(journal.append(commit("head", 3, "3"), vec![]).await.unwrap());
    assert_eq!(fixture.network.calls(), ["GetItem", "PutItem"], "this one has not seen it");
    let journal = fixture.another_engine().await.journal();
    assert_eq!(journal.read(account(), &stream("head")).await.unwrap().len(), 3);
    done(journal.append(commit("head", 4, "4"), vec![take("head", b"")]).await.unwrap());
    assert_eq!(fixture.network.calls(), ["Query", "TransactWriteItems"], "this one has read it");
}

async fn an_append_whose_answer_was_lost_is_done(fixture: Fixture) {
    let journal = fixture.engine.journal();
    // Once: the client library tries again. Always: it gives up, and the commit is read.
    for (lost, version) in [(1, 1), (9, 2)] {
        fixture.network.disturb("PutItem", Fault::AnswerLost, lost);
        done(journal.append(commit("lost", version, "plain"), vec![]).await.unwrap());
        fixture.network.heal();
    }
    for (lost, version) in [(1, 3), (9, 4)] {
        fixture.network.disturb("TransactWriteItems", Fault::AnswerLost, lost);
        let claim = take(&format!("lost-{version}"), b"held");
        done(journal.append(commit("lost", version, "claimed"), vec![claim]).await.unwrap());
        fixture.network.heal();
        let held = journal.claim(&ClaimKey(format!("lost-{version}"))).await.unwrap();
        assert_eq!(held.as_deref(), Some(&b"held"[..]));
    }
    let versions: Vec<u64> =
        journal.read(account(), &stream("lost")).await.unwrap().iter().map(|commit| commit.version).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
}

async fn a_lost_answer_does_not_hide_that_another_was_faster(fixture: Fixture) {
    let (ours, theirs) = (fixture.engine.journal(), fixture.another_engine().await.journal());
    done(theirs.append(commit("race", 1, "same"), vec![]).await.unwrap());
    for claims in [vec![], vec![take("race", b"")]] {
        for lost in [1, 9] {
            for operation in ["PutItem", "TransactWriteItems"] {
                fixture.network.disturb(operation, Fault::AnswerLost, lost);
            }
            // The very same commit, as a repeated request would bring it, is another append.
            let appended = ours.append(commit("race", 1, "same"), claims.clone()).await.unwrap();
            assert_eq!(appended, Appended::HeadMoved);
            fixture.network.heal();
        }
    }
}

async fn a_throttled_table_is_tried_again(fixture: Fixture) {
    let throttled = Fault::Refused("ProvisionedThroughputExceededException");
    let journal = fixture.engine.journal();
    fixture.network.disturb("PutItem", throttled, 3);
    done(journal.append(commit("busy", 1, ""), vec![]).await.unwrap());
    fixture.network.disturb("PutItem", throttled, 100);
    let refused = journal.append(commit("busy", 2, ""), vec![]).await;
    assert!(matches!(refused, Err(PortError::Throttled(_))), "{refused:?}");
    fixture.network.heal();
    done(journal.append(commit("busy", 2, ""), vec![]).await.unwrap());
}

async fn what_is_missing_or_not_allowed_is_named(fixture: Fixture) {
    let connect = |settings: AwsSettings| {
        AwsEngine::connect_with(&fixture.config, settings, fixture.clock.clone(), entropy())
    };
    let elsewhere = AwsSettings { journal_table: "not-made".to_owned(), ..fixture.settings.clone() };
    let journal = connect(elsewhere).await.unwrap().journal();
    // A transaction's refusal does not say which of its tables it means, so both are named.
    let both = format!("table not-made or table {} does not exist", fixture.settings.claims_table);
    let said = [
        (
            journal.append(commit("missing", 1, ""), vec![]).await.unwrap_err(),
            "table not-made does not exist",
        ),
        (journal.append(commit("missing", 1, ""), vec![take("missing", b"")]).await.unwrap_err(), &both),
        (journal.read(account(), &stream("missing")).await.unwrap_err(), "table not-made does not exist"),
    ];
    for (error, wanted) in said {
        assert!(matches!(error, PortError::Unavailable(_)), "{error:?}");
        assert!(error.to_string().contains(wanted), "{error}");
    }
    let nobody = waxwing_aws::config_loader().endpoint_url(&fixture.network.url).no_credentials();
    let nobody = nobody.region(Region::new("eu-central-1")).load().await;
    let refused =
        AwsEngine::connect_with(&nobody, fixture.settings.clone(), fixture.clock.clone(), entropy()).await;
    let error = refused.err().unwrap();
    assert!(error.to_string().contains("there are no usable AWS credentials"), "{error}");
    for code in ["UnrecognizedClientException", "AccessDeniedException", "ExpiredTokenException"] {
        fixture.network.disturb("PutItem", Fault::Refused(code), 9);
        let error = fixture.engine.journal().append(commit("refused", 1, ""), vec![]).await.unwrap_err();
        assert!(matches!(error, PortError::Unavailable(_)), "{error:?}");
        assert!(error.to_string().contains("credentials"), "{error}");
        fixture.network.heal();
    }
}

async fn a_claim_can_change_hands_within_one_commit(fixture: Fixture) {
    let journal = fixture.engine.journal();
    let key = || ClaimKey("twice".to_owned());
    let claims = vec![take("twice", b"first"), take("twice", b"second")];
    done(journal.append(commit("twice", 1, ""), claims).await.unwrap());
    assert_eq!(journal.claim(&key()).await.unwrap().as_deref(), Some(&b"second"[..]));
    let claims = vec![Claim::Release { key: key() }, take("twice", b"third")];
    let taken = journal.append(commit("twice", 2, ""), claims).await.unwrap();
    assert_eq!(taken, Appended::ClaimTaken { key: key(), value: b"second".to_vec() }, "takes count first");
    let claims = vec![Claim::Release { key: key() }, Claim::Release { key: key() }];
    done(journal.append(commit("twice", 2, ""), claims).await.unwrap());
    let claims = vec![take("twice", b"fourth"), Claim::Release { key: key() }];
    done(journal.append(commit("twice", 3, ""), claims).await.unwrap());
    assert_eq!(journal.claim(&key()).await.unwrap(), None);
    let many = (0..100).map(|number| take(&format!("many-{number}"), b"")).collect();
    let refused = journal.append(commit("twice", 4, ""), many).await;
    assert!(matches!(refused, Err(PortError::Corrupt(_))), "{refused:?}");
}

async fn a_history_beyond_one_answer_is_read_whole(fixture: Fixture) {
    let journal = fixture.engine.journal();
    for version in 1..=7 {
        done(journal.append(commit("long", version, vec![version as u8; 300_000]), vec![]).await.unwrap());
    }
    fixture.network.calls();
    let commits = journal.read(account(), &stream("long")).await.unwrap();
    assert!(commits.iter().map(|commit| commit.version).eq(1..=7));
    assert!(commits.iter().all(|commit| commit.payload == vec![commit.version as u8; 300_000]));
    let calls = fixture.network.calls();
    assert!(calls.len() > 1 && calls.iter().all(|call| call == "Query"), "one answer holds 1 MB: {calls:?}");
}
