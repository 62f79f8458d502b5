//! Properties of the journal, checked against a model.

use std::collections::HashMap;

use futures::future::join_all;
use proptest::prelude::*;
use waxwing_app::ports::{Appended, Claim, ClaimKey, StreamName};

use crate::{Fixture, account, commit, take};

/// One append: a stream of three, how far its version is from the right one, claims to take and to release of four.
#[derive(Debug, Clone)]
struct Step {
    stream: usize,
    offset: i64,
    takes: Vec<usize>,
    releases: Vec<usize>,
}

fn step() -> impl Strategy<Value = Step> {
    let offset = prop_oneof![6 => Just(0_i64), 1 => -3..=4_i64];
    let keys = || prop::collection::hash_set(0..4_usize, 0..3);
    (0..3_usize, offset, keys(), keys()).prop_map(|(stream, offset, takes, releases)| Step {
        stream,
        offset,
        // A claim that is taken and released at once has no meaning.
        releases: releases.difference(&takes).copied().collect(),
        takes: takes.into_iter().collect(),
    })
}

fn key(number: usize) -> String {
    format!("key-{number}")
}

async fn follows_the_model(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let fixture = Fixture::new();
    let journal = fixture.engine.journal();
    let mut heads = [0_u64; 3];
    let mut claims: HashMap<usize, Vec<u8>> = HashMap::new();
    for (number, step) in steps.iter().enumerate() {
        let Some(version) = (heads[step.stream] + 1).checked_add_signed(step.offset) else { continue };
        let value = number.to_be_bytes();
        let wanted = step.takes.iter().map(|&number| take(key(number), &value));
        let given = step.releases.iter().map(|&number| Claim::Release { key: ClaimKey(key(number)) });
        let append = journal.append(
            commit(&format!("model/{}", step.stream), version, value.to_vec()),
            wanted.chain(given).collect(),
        );
        let appended = append.await.unwrap();
        let held = step.takes.iter().find(|number| claims.contains_key(number));
        match (step.offset, held) {
            (0, None) => {
                prop_assert!(matches!(appended, Appended::Done(_)), "{appended:?}");
                heads[step.stream] += 1;
                claims.retain(|number, _| !step.releases.contains(number));
                claims.extend(step.takes.iter().map(|&number| (number, value.to_vec())));
            },
            (0, Some(&held)) => {
                let expected =
                    Appended::ClaimTaken { key: ClaimKey(key(held)), value: claims[&held].clone() };
                prop_assert_eq!(appended, expected);
            },
            _ => prop_assert_eq!(appended, Appended::HeadMoved),
        }
    }
    for (stream, head) in heads.iter().enumerate() {
        let commits = journal.read(account(), &StreamName(format!("model/{stream}"))).await.unwrap();
        prop_assert!(commits.iter().map(|commit| commit.version).eq(1..=*head));
    }
    for number in 0..4 {
        prop_assert_eq!(journal.claim(&ClaimKey(key(number))).await.unwrap(), claims.get(&number).cloned());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn heads_and_claims_follow_the_model(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(follows_the_model(steps))?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_on_several_threads_win_each_version_once() {
    const WRITERS: usize = 16;
    const VERSIONS: u64 = 30;
    let fixture = Fixture::new();
    let writers = (0..WRITERS).map(|writer| {
        let journal = fixture.engine.journal();
        tokio::spawn(async move {
            let mut won = Vec::new();
            let mut version = 1;
            while version <= VERSIONS {
                match journal.append(commit("race/1", version, vec![writer as u8]), vec![]).await.unwrap() {
                    Appended::Done(_) => won.push((version, writer as u8)),
                    Appended::HeadMoved => {},
                    taken @ Appended::ClaimTaken { .. } => panic!("{taken:?}"),
                }
                version += 1;
            }
            won
        })
    });
    let mut won: Vec<_> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    won.sort_unstable();
    let commits = fixture.engine.journal().read(account(), &StreamName("race/1".to_owned())).await.unwrap();
    let stored: Vec<_> = commits.iter().map(|commit| (commit.version, commit.payload[0])).collect();
    assert_eq!(won, stored, "who was told to have won is who was stored, once for each version");
    assert_eq!(stored.len() as u64, VERSIONS);
}
