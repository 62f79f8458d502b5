//! Commits to consumers once more.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;
use waxwing_admin::{OperatorError, RefeedOptions, RefeedReport, SilentGateway, Standing, refeed};
use waxwing_app::{
    feed::{Consumer, FeedPush},
    keys,
    ports::{Bounds, FeedItem, PortError, Query},
    processes::{Delivery, OutboxRow},
    rows,
};

use crate::{
    fixture::{Fixture, account},
    on_both,
    world::World,
};

on_both!(
    later_commits_only_are_brought_and_in_order,
    a_refeed_that_was_killed_goes_on_where_it_was,
    a_stream_that_was_put_aside_goes_back_to_its_consumer,
    rows_come_back,
    delivery_sends_nothing_again,
);

const HOUR: Duration = Duration::from_secs(3_600);

fn since(since: Timestamp) -> RefeedOptions {
    RefeedOptions { since, until: None, restart: false, segments: 3, page_limit: Some(5), batch: 4 }
}

/// Keeps what it was brought, stream and version. Cannot handle some streams.
#[derive(Default)]
struct Recorder {
    brought: Mutex<Vec<(String, u64)>>,
    cannot: Mutex<HashSet<String>>,
}

impl Recorder {
    fn take(&self) -> Vec<(String, u64)> {
        std::mem::take(&mut self.brought.lock().unwrap())
    }
}

#[async_trait]
impl Consumer for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["message"]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        let told = |item: &FeedItem| (item.commit.stream.id().to_owned(), item.commit.version);
        let cannot = self.cannot.lock().unwrap();
        match items.iter().find(|item| cannot.contains(item.commit.stream.id())) {
            Some(item) => Err(PortError::Corrupt(format!("{} cannot be handled", item.commit.stream))),
            None => {
                self.brought.lock().unwrap().extend(items.iter().map(told));
                Ok(())
            },
        }
    }
}

async fn run(
    world: &World,
    consumer: Arc<dyn Consumer>,
    options: &RefeedOptions,
) -> Result<RefeedReport, OperatorError> {
    refeed(&world.fixture.engine, &world.ports, &[consumer], options, &|_| {}).await
}

async fn send(world: &World, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(world.send(format!("{number}")).await.id.to_string());
    }
    ids
}

async fn later_commits_only_are_brought_and_in_order(fixture: Fixture) {
    let world = World::new(fixture).await;
    let old = send(&world, 12).await;
    world.pass(HOUR);
    let middle = world.now();
    for id in &old[..4] {
        world.sent(id.parse().unwrap()).await;
    }
    let new = send(&world, 12).await;
    world.pass(HOUR);
    let late = world.now();
    for id in &new[..6] {
        world.sent(id.parse().unwrap()).await;
    }
    world.pass(HOUR);

    let recorder = Arc::new(Recorder::default());
    let done = run(&world, recorder.clone(), &since(middle)).await.unwrap();
    assert_eq!((done.streams, done.commits, done.resumed), (16, 4 + 12 + 6, false));
    let brought = recorder.take();
    // By stream in the order in which messages were accepted, and each stream in order.
    let mut expected: Vec<(String, u64)> = old[..4].iter().map(|id| (id.clone(), 2)).collect();
    for (place, id) in new.iter().enumerate() {
        expected.push((id.clone(), 1));
        expected.extend((place < 6).then(|| (id.clone(), 2)));
    }
    assert_eq!(brought, expected);

    let until = RefeedOptions { until: Some(late - Duration::from_secs(1)), ..since(middle) };
    let done = run(&world, recorder.clone(), &until).await.unwrap();
    assert_eq!((done.streams, done.commits), (16, 4 + 12));
    assert!(recorder.take().iter().all(|(id, version)| (*version == 1) == new.contains(id)));

    let done = run(&world, recorder.clone(), &since(world.now() - Duration::from_secs(1))).await.unwrap();
    assert_eq!((done.streams, done.commits), (0, 0));
    let nothing = run(&world, recorder.clone(), &since(world.now())).await;
    assert!(matches!(nothing, Err(OperatorError::EmptyTime { .. })), "{nothing:?}");
    let table = world.table().await;
    assert!(!table.keys().any(|(pk, _)| *pk == keys::operation("refeed")), "nothing is left behind");
}

async fn a_refeed_that_was_killed_goes_on_where_it_was(fixture: Fixture) {
    let world = World::new(fixture).await;
    let began = world.now();
    let sent = send(&world, 30).await;
    world.pass(HOUR);
    let recorder = Arc::new(Recorder::default());
    let consumers: [Arc<dyn Consumer>; 1] = [recorder.clone()];
    let options = since(began);
    let mut kills = 0;
    let done = loop {
        let (far, first) = (Notify::new(), Mutex::new(None));
        let report = |standing: Standing| {
            if standing.done == "streams brought" {
                let first = *first.lock().unwrap().get_or_insert(standing.count);
                if standing.count >= first + 4 {
                    far.notify_one();
                }
            }
        };
        tokio::select! {
            biased;
            () = far.notified() => kills += 1,
            ended = refeed(&world.fixture.engine, &world.ports, &consumers, &options, &report) => break ended.unwrap(),
        }
        // It is this one that is gone on with, and no other one begins before.
        let other = run(&world, recorder.clone(), &since(began - HOUR)).await;
        assert!(matches!(other, Err(OperatorError::OtherRefeed { .. })), "{other:?}");
        world.pass(HOUR);
        assert!(kills < 50);
    };
    assert!(kills > 1 && done.resumed);
    assert_eq!((done.streams, done.commits), (30, 30));
    // A batch whose end was not written down comes again, at most one for each kill.
    let mut times = BTreeMap::<_, usize>::new();
    for (id, _) in recorder.take() {
        *times.entry(id).or_default() += 1;
    }
    assert!(times.keys().eq(&sent));
    let again: usize = times.values().map(|times| times - 1).sum();
    assert!(again <= 4 * kills, "{again} commits came again after {kills} kills");
}

async fn a_stream_that_was_put_aside_goes_back_to_its_consumer(fixture: Fixture) {
    let world = World::new(fixture).await;
    let began = world.now();
    let sent = send(&world, 6).await;
    let recorder = Arc::new(Recorder::default());
    let (fixed, broken) = (sent[1].clone(), sent[4].clone());
    recorder.cannot.lock().unwrap().extend([fixed.clone(), broken.clone()]);
    let messages = |items: Vec<FeedItem>| -> Vec<FeedItem> {
        items.into_iter().filter(|item| item.commit.stream.kind() == "message").collect()
    };
    let mut push = FeedPush::new(&world.fixture.engine.records(), vec![recorder.clone()]);
    push.handle(&messages(world.feed().await)).await.unwrap();
    assert_eq!(recorder.take().len(), 4);
    recorder.cannot.lock().unwrap().remove(&fixed);
    world.pass(HOUR);
    let later = world.now();
    for id in &sent {
        world.sent(id.parse().unwrap()).await;
    }
    world.pass(HOUR);

    let done = run(&world, recorder.clone(), &since(later)).await.unwrap();
    assert_eq!((done.streams, done.unparked, done.parked), (6, 1, 1));
    assert_eq!(done.still_parked[0].parked.stream.id(), broken);
    assert_eq!(done.still_parked[0].consumer, "recorder");
    let brought = recorder.take();
    let of = |id: &str| -> Vec<u64> {
        brought.iter().filter(|(of, _)| of == id).map(|(_, version)| *version).collect()
    };
    assert!(of(&fixed).starts_with(&[1, 2]), "from where it was put aside: {brought:?}");
    assert_eq!(of(&sent[0]), [2]);
    assert!(of(&broken).is_empty());
    assert!(began < later);

    // The feed goes on with it, too.
    push.handle(&messages(world.feed().await)).await.unwrap();
    assert!(recorder.take().iter().any(|(id, _)| *id == fixed));
}

async fn rows_come_back(fixture: Fixture) {
    let world = World::new(fixture).await;
    let began = world.now() - Duration::from_secs(1);
    for id in &send(&world, 10).await[..3] {
        world.sent(id.parse().unwrap()).await;
    }
    world.session("other").await;
    world.project().await;
    let before = world.table().await;
    // The index by WhatsApp's ids comes with the outbox, and a refeed puts nothing there that was sent.
    for key in world.read_models().await.into_iter().filter(|(pk, _)| !pk.contains("/whatsapp/")) {
        world.delete(&key).await;
    }
    world.pass(Duration::from_secs(48 * 3_600));
    let consumers = world.projections();
    let done = refeed(&world.fixture.engine, &world.ports, &consumers, &since(began), &|_| {}).await.unwrap();
    assert_eq!((done.streams, done.commits, done.parked), (12, 15, 0));
    assert_eq!(done.consumers, ["audit", "directory", "messages", "sessions"]);
    assert_eq!(world.table().await, before);
}

async fn delivery_sends_nothing_again(fixture: Fixture) {
    let world = World::new(fixture).await;
    let began = world.now() - Duration::from_secs(1);
    let sent = send(&world, 10).await;
    let delivery = Arc::new(Delivery {
        ports: world.ports.clone(),
        records: world.fixture.engine.records(),
        gateway: Arc::new(SilentGateway),
    });
    let first = run(&world, delivery.clone(), &since(began)).await.unwrap();
    assert_eq!(first.commits, 10);
    assert_eq!(outbox(&world).await, sent, "in the order in which they were accepted");
    // Half of them are sent; of the others, nobody knows what became of the rows.
    for id in &sent[..5] {
        world.sent(id.parse().unwrap()).await;
    }
    for key in world.table().await.into_keys() {
        if key.0.contains("/outbox") {
            world.delete(&key).await;
        }
    }
    world.pass(25 * HOUR);
    run(&world, delivery, &since(began)).await.unwrap();
    assert_eq!(outbox(&world).await, sent[5..]);
}

/// The messages in the session's outbox, in the order in which a host would send them.
async fn outbox(world: &World) -> Vec<String> {
    let partition = keys::outbox(account(), world.session);
    let query = Query { index: 0, partition, bounds: Bounds::default(), descending: false, limit: 1_000 };
    let found = world.fixture.engine.records().query(query).await.unwrap();
    found.iter().map(|row| rows::value::<OutboxRow>(row).unwrap().message_id.to_string()).collect()
}
