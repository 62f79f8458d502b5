use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use tokio::{sync::watch, task::JoinHandle};
use waxwing_app::{
    feed::{Consumer, FeedRunner},
    ports::{Appended, Clock as _, Commit, FeedItem, PortError, StreamName},
};
use waxwing_domain::AccountId;

use crate::world::{World, account, until};

/// Keeps what it handled. Cannot handle some streams, and cannot handle anything for a while.
struct Picky {
    cannot: HashSet<(AccountId, StreamName)>,
    failures: Mutex<u32>,
    seen: watch::Sender<Vec<String>>,
}

impl Picky {
    fn new(cannot: &[(AccountId, &str)]) -> Arc<Self> {
        let cannot = cannot.iter().map(|(account, id)| (*account, StreamName::new("thing", id))).collect();
        Arc::new(Self { cannot, failures: Mutex::new(0), seen: watch::Sender::default() })
    }

    /// Commits handled so far, once `last` is one of them; without those that were handled before.
    async fn until_seen(&self, last: &str) -> Vec<String> {
        until(last, &self.seen, |seen| seen.iter().any(|one| one == last)).await
    }
}

fn told(commit: &Commit) -> String {
    let other = if commit.account == account() { "" } else { "other " };
    format!("{other}{} {}", commit.stream.id(), commit.version)
}

#[async_trait]
impl Consumer for Picky {
    fn name(&self) -> &'static str {
        "picky"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["thing"]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        {
            let mut failures = self.failures.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                return Err(PortError::Unavailable("not now".to_owned()));
            }
        }
        let cannot =
            |item: &&FeedItem| self.cannot.contains(&(item.commit.account, item.commit.stream.clone()));
        if let Some(item) = items.iter().find(cannot) {
            return Err(PortError::Corrupt(told(&item.commit)));
        }
        self.seen.send_modify(|seen| seen.extend(items.iter().map(|item| told(&item.commit))));
        Ok(())
    }
}

async fn append(world: &World, account: AccountId, id: &str, version: u64) {
    let commit = Commit {
        account,
        stream: StreamName::new("thing", id),
        version,
        types: vec!["thing.happened".to_owned()],
        actor: "system".to_owned(),
        request_id: None,
        trace_id: None,
        at: world.clock.now(),
        key_id: "none".to_owned(),
        payload: Vec::new(),
    };
    let appended = world.engine.journal().append(commit, Vec::new()).await.unwrap();
    assert!(matches!(appended, Appended::Done(_)));
}

/// A runner as the server starts it, until it is stopped.
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(world: &World, consumer: Arc<Picky>) -> Self {
        let stop = watch::Sender::new(false);
        let mut runner = FeedRunner::new(world.engine.feed(), world.engine.records(), consumer);
        runner.load_parked().await.unwrap();
        let task = tokio::spawn(runner.run(stop.subscribe()));
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_that_cannot_be_handled_is_parked_and_the_others_go_on() {
    let world = World::new();
    let other = AccountId::derived(1, &[b"other"]);
    let picky = Picky::new(&[(account(), "bad")]);
    for version in 1..=2 {
        append(&world, account(), "good", version).await;
        append(&world, account(), "bad", version).await;
        append(&world, other, "bad", version).await;
    }
    let running = Running::start(&world, picky.clone()).await;
    let seen = picky.until_seen("other bad 2").await;
    assert_eq!(seen, ["good 1", "other bad 1", "good 2", "other bad 2"]);
    append(&world, account(), "bad", 3).await;
    append(&world, account(), "good", 3).await;
    assert_eq!(picky.until_seen("good 3").await[4..], ["good 3"]);
    running.stop().await;

    // After a restart it stays parked, also when it could be handled now: what came before was not.
    let world = world.restarted().await;
    let picky = Picky::new(&[]);
    append(&world, account(), "bad", 4).await;
    append(&world, account(), "good", 4).await;
    let running = Running::start(&world, picky.clone()).await;
    assert_eq!(picky.until_seen("good 4").await, ["good 4"]);
    append(&world, account(), "bad", 5).await;
    append(&world, other, "bad", 3).await;
    assert_eq!(picky.until_seen("other bad 3").await, ["good 4", "other bad 3"]);
    running.stop().await;

    // And only for this consumer.
    let parked = world.rows(waxwing_app::keys::parked("picky", account(), "").partition).await;
    let parked: Vec<String> = parked.into_iter().map(|row| row.key.sort).collect();
    assert_eq!(parked, [format!("{}/thing/bad", account())]);
}

#[tokio::test]
async fn a_failure_that_passes_parks_nothing_and_loses_nothing() {
    let world = World::new();
    let picky = Picky::new(&[]);
    *picky.failures.lock().unwrap() = 3;
    for version in 1..=3 {
        append(&world, account(), "good", version).await;
    }
    let running = Running::start(&world, picky.clone()).await;
    assert_eq!(picky.until_seen("good 3").await, ["good 1", "good 2", "good 3"]);
    running.stop().await;
    assert!(world.rows(waxwing_app::keys::parked("picky", account(), "").partition).await.is_empty());
}
