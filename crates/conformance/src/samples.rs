//! What the suites write.

use waxwing_app::ports::{
    Appended, Claim, ClaimKey, Clock as _, Commit, Journal, Order, PortError, StreamName,
};
use waxwing_domain::AccountId;

use crate::TestClock;

/// An account of its own for each check.
pub(crate) fn account(label: &str) -> AccountId {
    AccountId::derived(1_767_225_600_000, &[b"conformance", label.as_bytes()])
}

/// A commit with something in every field.
pub(crate) fn commit(account: AccountId, stream: &StreamName, version: u64, clock: &TestClock) -> Commit {
    Commit {
        account,
        stream: stream.clone(),
        version,
        types: vec!["conformance.happened".to_owned(), "conformance.noticed".to_owned()],
        actor: "system".to_owned(),
        request_id: Some(format!("req_{version}")),
        trace_id: None,
        at: clock.now(),
        key_id: "dk1".to_owned(),
        payload: format!("{account} {stream} {version}").into_bytes(),
    }
}

/// A claim without an end.
pub(crate) fn take(key: &str, value: &str) -> Claim {
    Claim::Take { key: claim_key(key), value: value.as_bytes().to_vec(), expires_at: None }
}

/// The reverse of [`take`].
pub(crate) fn release(key: &str) -> Claim {
    Claim::Release { key: claim_key(key) }
}

/// The key of a claim.
pub(crate) fn claim_key(key: &str) -> ClaimKey {
    ClaimKey(format!("conformance-{key}"))
}

/// The place of an append that has to succeed.
pub(crate) fn done(appended: Result<Appended, PortError>, promise: &str) -> Order {
    match appended {
        Ok(Appended::Done(order)) => order,
        other => panic!("{promise}: {other:?}"),
    }
}

/// Appends versions `from..=to` without claims.
pub(crate) async fn fill(
    journal: &dyn Journal,
    account: AccountId,
    stream: &StreamName,
    versions: std::ops::RangeInclusive<u64>,
    clock: &TestClock,
) -> Vec<Commit> {
    let mut commits = Vec::new();
    for version in versions {
        let commit = commit(account, stream, version, clock);
        done(journal.append(commit.clone(), vec![]).await, "an append at the right head succeeds");
        commits.push(commit);
    }
    commits
}
