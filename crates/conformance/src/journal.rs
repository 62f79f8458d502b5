use std::time::Duration;

use futures::future::join_all;
use waxwing_app::ports::{Appended, Claim, Commit, Journal, StreamName};

use crate::{
    TestClock,
    samples::{account, claim_key, commit, done, fill, release, take},
};

const RIVALS: u64 = 16;
const MINUTE: Duration = Duration::from_secs(60);

/// Checks [`Journal`].
pub async fn journal(journal: &dyn Journal, clock: &TestClock) {
    // First, while an engine that counts its commits is still about to reach its second digit.
    orders_a_stream(journal, clock).await;
    reads_back_what_was_written(journal, clock).await;
    reads_long_streams_whole(journal, clock).await;
    refuses_a_wrong_head(journal, clock).await;
    keeps_accounts_and_streams_apart(journal, clock).await;
    gives_a_claim_once(journal, clock).await;
    takes_all_claims_or_none(journal, clock).await;
    leaves_claims_alone_when_the_head_moved(journal, clock).await;
    gives_claims_back(journal, clock).await;
    frees_claims_whose_time_is_over(journal, clock).await;
    lets_one_of_many_appenders_win(journal, clock).await;
    lets_one_of_many_claimants_win(journal, clock).await;
}

async fn reads_back_what_was_written(journal: &dyn Journal, clock: &TestClock) {
    let account = account("read back");
    let stream = StreamName::new("sample", "read-back");
    assert_eq!(read(journal, account, &stream).await, [], "Journal: a stream that nobody wrote is empty");
    let plain = commit(account, &stream, 1, clock);
    let bare = Commit {
        types: vec![],
        request_id: None,
        trace_id: Some("trace".to_owned()),
        payload: vec![],
        ..commit(account, &stream, 2, clock)
    };
    let odd = Commit {
        types: vec!["with \"quotes\", commas\nand lines".to_owned(), String::new()],
        actor: "Zoë\u{0}\u{1F426}".to_owned(),
        payload: (0..=255).cycle().take(100_000).collect(),
        ..commit(account, &stream, 3, clock)
    };
    for commit in [&plain, &bare, &odd] {
        done(journal.append(commit.clone(), vec![]).await, "Journal: an append at the right head succeeds");
    }
    assert_eq!(
        read(journal, account, &stream).await,
        [plain, bare, odd],
        "Journal: a commit reads back as it was written"
    );
}

async fn reads_long_streams_whole(journal: &dyn Journal, clock: &TestClock) {
    let account = account("long");
    let stream = StreamName::new("sample", "long");
    for version in 1..=30 {
        let commit = Commit { payload: vec![7; 60_000], ..commit(account, &stream, version, clock) };
        done(journal.append(commit, vec![]).await, "Journal: a long stream can be appended to");
    }
    let versions: Vec<u64> =
        read(journal, account, &stream).await.iter().map(|commit| commit.version).collect();
    assert_eq!(
        versions,
        (1..=30).collect::<Vec<_>>(),
        "Journal: a stream is read whole and in order, however long it is"
    );
}

async fn refuses_a_wrong_head(journal: &dyn Journal, clock: &TestClock) {
    let account = account("wrong head");
    let stream = StreamName::new("sample", "wrong-head");
    for version in [0, 2, 6] {
        let refused = journal.append(commit(account, &stream, version, clock), vec![]).await;
        head_moved(refused, &format!("version {version} on an empty stream"));
    }
    assert_eq!(read(journal, account, &stream).await, [], "Journal: a refused append leaves nothing");
    let there = fill(journal, account, &stream, 1..=3, clock).await;
    for version in [0, 1, 3, 5, 9] {
        let other = Commit { payload: b"other".to_vec(), ..commit(account, &stream, version, clock) };
        head_moved(
            journal.append(other, vec![]).await,
            &format!("version {version} on a stream whose head is 3"),
        );
    }
    assert_eq!(read(journal, account, &stream).await, there, "Journal: a refused append changes nothing");
    fill(journal, account, &stream, 4..=4, clock).await;
}

async fn keeps_accounts_and_streams_apart(journal: &dyn Journal, clock: &TestClock) {
    let (ours, theirs) = (account("tenant one"), account("tenant two"));
    let stream = StreamName::new("sample", "shared-name");
    let longer = StreamName::new("sample", "shared-name-and-more");
    let other_kind = StreamName::new("samples", "shared-name");
    let written = fill(journal, ours, &stream, 1..=2, clock).await;
    for (account, stream) in [(theirs, &stream), (ours, &longer), (ours, &other_kind)] {
        assert_eq!(
            read(journal, account, stream).await,
            [],
            "Journal: a stream is its own, by account and by whole name"
        );
    }
    let foreign = fill(journal, theirs, &stream, 1..=1, clock).await;
    fill(journal, ours, &longer, 1..=1, clock).await;
    fill(journal, ours, &other_kind, 1..=1, clock).await;
    assert_eq!(
        read(journal, ours, &stream).await,
        written,
        "Journal: another account's commits stay out of a stream"
    );
    assert_eq!(
        read(journal, theirs, &stream).await,
        foreign,
        "Journal: another account's commits stay out of a stream"
    );
}

async fn orders_a_stream(journal: &dyn Journal, clock: &TestClock) {
    let account = account("order");
    let stream = StreamName::new("sample", "order");
    let mut last = None;
    for version in 1..=12 {
        let appended = journal.append(commit(account, &stream, version, clock), vec![]).await;
        let order = Some(done(appended, "Journal: an append at the right head succeeds"));
        assert!(
            order > last,
            "Journal: orders of a stream's commits rise, as text: {order:?} after {last:?}"
        );
        last = order;
    }
}

async fn gives_a_claim_once(journal: &dyn Journal, clock: &TestClock) {
    let account = account("claim once");
    let (first, second) = (StreamName::new("sample", "claim-1"), StreamName::new("sample", "claim-2"));
    assert_eq!(claimed(journal, "once").await, None, "Journal: what nobody claimed is free");
    let taken = journal.append(commit(account, &first, 1, clock), vec![take("once", "first")]).await;
    done(taken, "Journal: a free claim can be taken");
    assert_eq!(
        claimed(journal, "once").await.as_deref(),
        Some("first"),
        "Journal: a claim says what its holder left"
    );
    let refused = journal.append(commit(account, &second, 1, clock), vec![take("once", "second")]).await;
    claim_taken(refused, "once", "first");
    assert_eq!(
        claimed(journal, "once").await.as_deref(),
        Some("first"),
        "Journal: a refused append leaves the claim as it was"
    );
    assert_eq!(
        read(journal, account, &second).await,
        [],
        "Journal: an append whose claim is taken does not happen"
    );
    // The holder itself is no exception: a repeated request has to be noticed.
    let repeated = journal.append(commit(account, &first, 2, clock), vec![take("once", "first")]).await;
    claim_taken(repeated, "once", "first");
}

async fn takes_all_claims_or_none(journal: &dyn Journal, clock: &TestClock) {
    let account = account("all claims");
    let (first, second) = (StreamName::new("sample", "all-1"), StreamName::new("sample", "all-2"));
    let claims = vec![take("all-b", "first"), take("all-kept", "first")];
    done(
        journal.append(commit(account, &first, 1, clock), claims).await,
        "Journal: one append can take several claims",
    );
    let claims =
        vec![take("all-a", "second"), release("all-kept"), take("all-b", "second"), take("all-c", "second")];
    claim_taken(journal.append(commit(account, &second, 1, clock), claims).await, "all-b", "first");
    for key in ["all-a", "all-c"] {
        assert_eq!(claimed(journal, key).await, None, "Journal: a refused append takes none of its claims");
    }
    let kept = claimed(journal, "all-kept").await;
    assert_eq!(kept.as_deref(), Some("first"), "Journal: a refused append releases none of its claims");
    assert_eq!(
        read(journal, account, &second).await,
        [],
        "Journal: an append whose claim is taken does not happen"
    );
}

async fn leaves_claims_alone_when_the_head_moved(journal: &dyn Journal, clock: &TestClock) {
    let account = account("claims and head");
    let stream = StreamName::new("sample", "claims-and-head");
    done(
        journal.append(commit(account, &stream, 1, clock), vec![take("head-held", "holder")]).await,
        "Journal: a free claim can be taken",
    );
    let claims = vec![take("head-free", "late"), release("head-held")];
    head_moved(journal.append(commit(account, &stream, 1, clock), claims).await, "version 1 twice");
    assert_eq!(
        claimed(journal, "head-free").await,
        None,
        "Journal: an append at a wrong head takes no claim"
    );
    let held = claimed(journal, "head-held").await;
    assert_eq!(held.as_deref(), Some("holder"), "Journal: an append at a wrong head releases no claim");
}

async fn gives_claims_back(journal: &dyn Journal, clock: &TestClock) {
    let account = account("release");
    let stream = StreamName::new("sample", "release");
    let steps = [
        vec![take("old-address", "holder")],
        vec![release("old-address"), take("new-address", "holder")],
        vec![release("old-address"), release("never-held")],
        vec![take("old-address", "next holder")],
    ];
    for (version, claims) in (1..).zip(steps) {
        let appended = journal.append(commit(account, &stream, version, clock), claims).await;
        done(appended, "Journal: a released claim is free, and releasing what nobody holds is fine");
        let old = claimed(journal, "old-address").await;
        let expected = [Some("holder"), None, None, Some("next holder")][version as usize - 1];
        assert_eq!(old.as_deref(), expected, "Journal: a claim is held from its taking to its release");
    }
    assert_eq!(
        claimed(journal, "new-address").await.as_deref(),
        Some("holder"),
        "Journal: a claim stays until it is released"
    );
}

async fn frees_claims_whose_time_is_over(journal: &dyn Journal, clock: &TestClock) {
    let account = account("claim expiry");
    let stream = |number: u64| StreamName::new("sample", format!("claim-expiry-{number}"));
    let until = |value: &str, end: Duration| Claim::Take {
        key: claim_key("for-a-while"),
        value: value.as_bytes().to_vec(),
        expires_at: Some(clock.ahead(end)),
    };
    let taken =
        journal.append(commit(account, &stream(1), 1, clock), vec![until("first", 10 * MINUTE)]).await;
    done(taken, "Journal: a claim can have an end");
    clock.advance(9 * MINUTE);
    let early = journal.append(commit(account, &stream(2), 1, clock), vec![until("second", MINUTE)]).await;
    claim_taken(early, "for-a-while", "first");
    clock.advance(2 * MINUTE);
    assert_eq!(claimed(journal, "for-a-while").await, None, "Journal: a claim past its time reads as free");
    let late =
        journal.append(commit(account, &stream(2), 1, clock), vec![until("second", 10 * MINUTE)]).await;
    done(late, "Journal: a claim past its time can be taken");
    let value = claimed(journal, "for-a-while").await;
    assert_eq!(
        value.as_deref(),
        Some("second"),
        "Journal: who takes a claim past its time replaces the holder"
    );
}

async fn lets_one_of_many_appenders_win(journal: &dyn Journal, clock: &TestClock) {
    let account = account("appenders");
    let stream = StreamName::new("sample", "appenders");
    for version in 1..=8 {
        let rivals = (0..RIVALS).map(|rival| {
            let commit = Commit { payload: vec![rival as u8], ..commit(account, &stream, version, clock) };
            journal.append(commit, vec![take(&format!("appender-{version}-{rival}"), "held")])
        });
        let mut winner = None;
        for (rival, appended) in join_all(rivals).await.into_iter().enumerate() {
            match appended {
                Ok(Appended::Done(_)) => {
                    assert!(winner.is_none(), "Journal: of concurrent appends at one head only one succeeds");
                    winner = Some(rival);
                },
                other => head_moved(other, "a rival's version"),
            }
        }
        let winner = winner.expect("Journal: of concurrent appends at one head one succeeds");
        let commits = read(journal, account, &stream).await;
        assert_eq!(commits.len() as u64, version, "Journal: concurrent appends leave one commit");
        assert_eq!(
            commits.last().map(|commit| commit.payload.clone()),
            Some(vec![winner as u8]),
            "Journal: the commit is the winner's"
        );
        for rival in 0..RIVALS as usize {
            let held = claimed(journal, &format!("appender-{version}-{rival}")).await;
            assert_eq!(held.is_some(), rival == winner, "Journal: only the winner's claims are taken");
        }
    }
}

async fn lets_one_of_many_claimants_win(journal: &dyn Journal, clock: &TestClock) {
    let account = account("claimants");
    let stream = |rival: u64| StreamName::new("sample", format!("claimant-{rival}"));
    let rivals = (0..RIVALS).map(|rival| {
        journal.append(commit(account, &stream(rival), 1, clock), vec![take("contended", &rival.to_string())])
    });
    let answers = join_all(rivals).await;
    let value = claimed(journal, "contended").await.expect("Journal: of concurrent claimants one succeeds");
    for (rival, appended) in (0..RIVALS).zip(answers) {
        if rival.to_string() == value {
            done(appended, "Journal: the claim's value is the winner's");
        } else {
            claim_taken(appended, "contended", &value);
        }
        let commits = read(journal, account, &stream(rival)).await.len();
        assert_eq!(commits == 1, rival.to_string() == value, "Journal: only the winner's commit happens");
    }
}

async fn read(journal: &dyn Journal, account: waxwing_domain::AccountId, stream: &StreamName) -> Vec<Commit> {
    journal.read(account, stream).await.expect("Journal: a stream can be read")
}

async fn claimed(journal: &dyn Journal, key: &str) -> Option<String> {
    let value = journal.claim(&claim_key(key)).await.expect("Journal: a claim can be read");
    value
        .map(|value| String::from_utf8(value).expect("Journal: a claim's value reads back as it was written"))
}

fn head_moved(appended: Result<Appended, waxwing_app::ports::PortError>, what: &str) {
    assert!(
        matches!(appended, Ok(Appended::HeadMoved)),
        "Journal: an append at a wrong head is refused ({what}): {appended:?}"
    );
}

fn claim_taken(appended: Result<Appended, waxwing_app::ports::PortError>, key: &str, value: &str) {
    let expected = Appended::ClaimTaken { key: claim_key(key), value: value.as_bytes().to_vec() };
    match appended {
        Ok(appended) => {
            assert_eq!(appended, expected, "Journal: a taken claim is refused, with what its holder left")
        },
        Err(error) => panic!("Journal: a taken claim is an answer and not an error: {error}"),
    }
}
