//! The engine against the ports' suites, and against what happens to files and processes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod conforms;
mod crashes;
mod folder;
mod full_disk;
mod journal_model;
mod maintenance;
mod rotation;
mod search;
mod secrets;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tempfile::TempDir;
use waxwing_app::ports::{Appended, Claim, ClaimKey, Clock as _, Commit, Order, StreamName};
use waxwing_conformance::{SeededEntropy, TestClock};
use waxwing_domain::AccountId;
use waxwing_embedded::Engine;

/// An engine in a folder of its own.
struct Fixture {
    folder: TempDir,
    clock: Arc<TestClock>,
    engine: Engine,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock::default());
        let engine = Engine::open(folder.path(), clock.clone(), entropy()).unwrap();
        Self { folder, clock, engine }
    }

    /// Closes the engine and opens the folder again.
    async fn reopened(self) -> Self {
        self.engine.close().await.unwrap();
        let engine = Engine::open(self.folder.path(), self.clock.clone(), entropy()).unwrap();
        Self { engine, ..self }
    }
}

/// Every engine of a run draws other bytes: a repeated nonce or lease would be a fault of the test.
fn entropy() -> Arc<SeededEntropy> {
    static SEED: AtomicU64 = AtomicU64::new(1);
    Arc::new(SeededEntropy::new(SEED.fetch_add(1 << 32, Ordering::SeqCst)))
}

fn account() -> AccountId {
    AccountId::derived(1, &[b"embedded"])
}

/// A commit of the test account.
fn commit(stream: &str, version: u64, payload: Vec<u8>) -> Commit {
    Commit {
        account: account(),
        stream: StreamName(stream.to_owned()),
        version,
        types: vec!["test.happened".to_owned()],
        actor: "system".to_owned(),
        request_id: None,
        trace_id: None,
        at: TestClock::default().now(),
        key_id: "dk1".to_owned(),
        payload,
    }
}

fn take(key: impl Into<String>, value: &[u8]) -> Claim {
    Claim::Take { key: ClaimKey(key.into()), value: value.to_vec(), expires_at: None }
}

/// The place of an append that has to succeed.
fn done(appended: Appended) -> Order {
    match appended {
        Appended::Done(order) => order,
        other => panic!("the append should have succeeded: {other:?}"),
    }
}
