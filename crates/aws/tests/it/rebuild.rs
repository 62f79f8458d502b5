//! Read models from the journal, with the projections of the product.

use std::{sync::Mutex, time::Duration};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use tokio::sync::Notify;
use waxwing_admin::{OperatorError, RebuildOptions, RebuildReport, Standing, rebuild};
use waxwing_app::{
    commands::{Registration, SessionWish},
    feed::{FeedPush, parked},
    keys,
    ports::{Clock as _, Commit, Consistency, Key, PortError, StreamName},
};

use waxwing_domain::Secret;

use crate::{
    fixture::{Fixture, account, commit, done},
    network::Fault,
    on_both,
    world::{World, cause},
};

on_both!(
    right_rows_are_left_alone,
    deleted_rows_come_back_as_they_were,
    damaged_rows_are_replaced,
    what_cannot_be_read_is_named_and_the_rest_is_rebuilt,
    a_rebuild_that_was_killed_goes_on_where_it_was,
    a_stream_that_was_put_aside_is_looked_after_again,
    a_throttled_table_is_waited_for,
);

const OPTIONS: RebuildOptions = RebuildOptions { segments: 3, restart: false, page_limit: Some(5) };
/// See [`filled`].
const STREAMS: u64 = 3 + 2 + 20 + 5 + 2;
/// Rows of sessions, endpoints, messages, the audit log (one for each commit of what is no message), the operator's lists.
const ROWS: usize = 3 * 2 + 1 + 25 * 2 + (4 + 3 + 2) + 2;

/// Three sessions, one of them deleted; two endpoints, one of them deleted; messages out and in, some of which went on; a user
/// with an account.
async fn filled(fixture: Fixture) -> World {
    let world = World::new(fixture).await;
    let gone = world.session("gone").await;
    world.session("other").await;
    let endpoint = world.endpoint("https://one.example/hook").await;
    world.endpoint("https://two.example/hook").await;
    for number in 0..20 {
        world.pass(Duration::from_secs(1));
        let sent = world.send(format!("message {number}")).await;
        if number % 3 == 0 {
            world.sent(sent.id).await;
        }
    }
    for number in 0..5 {
        world.pass(Duration::from_secs(1));
        world.receive(&format!("3EB0{number}"), world.now()).await;
    }
    let (email, password, name) =
        ("ada@example.com".to_owned(), Secret("correct horse".to_owned()), "Ada".to_owned());
    world.commands.register(Registration { email, password, name }, &cause()).await.unwrap();
    world.commands.wish_session(account(), gone, SessionWish::Delete, &cause()).await.unwrap();
    world.commands.delete_webhook(account(), endpoint, &cause()).await.unwrap();
    world.project().await;
    world
}

async fn run(world: &World, options: &RebuildOptions) -> Result<RebuildReport, OperatorError> {
    rebuild(&world.fixture.engine, &world.ports, None, options, &|_| {}).await
}

async fn right_rows_are_left_alone(fixture: Fixture) {
    let world = filled(fixture).await;
    let before = world.table().await;
    world.fixture.network.calls();
    let done = run(&world, &OPTIONS).await.unwrap();
    assert_eq!((done.tally.streams, done.tally.right), (STREAMS, STREAMS));
    assert!(!done.resumed && done.tally.failures.is_empty());
    assert!(world.table().await == before, "nothing is left behind and nothing changed");
}

async fn deleted_rows_come_back_as_they_were(fixture: Fixture) {
    let world = filled(fixture).await;
    let before = world.table().await;
    let rows = world.read_models().await;
    assert_eq!(rows.len(), ROWS, "{rows:?}");
    for key in &rows {
        world.delete(key).await;
    }
    let done = run(&world, &OPTIONS).await.unwrap();
    // Also of a deleted endpoint: that it was there.
    assert_eq!((done.tally.replaced, done.tally.right), (STREAMS, 0));
    assert_eq!(world.table().await, before);
    let again = run(&world, &OPTIONS).await.unwrap();
    assert_eq!(again.tally.right, STREAMS);
}

async fn damaged_rows_are_replaced(fixture: Fixture) {
    let world = filled(fixture).await;
    let before = world.table().await;
    let rows = world.read_models().await;
    let value = |text: &str| Some(AttributeValue::B(Blob::new(text)));
    let number = |number: u64| Some(AttributeValue::N(number.to_string()));
    for (place, key) in rows.iter().enumerate() {
        match place % 7 {
            // As versions go, these are current.
            0 => world.damage(key, "val", value("{}")).await,
            1 => world.damage(key, "val", value("\u{0}")).await,
            // Every projection takes these for ahead of all that comes.
            2 => world.damage(key, "v", number(999)).await,
            3 => world.damage(key, "v", number(0)).await,
            // No row at all.
            4 => world.damage(key, "v", None).await,
            5 => world.damage(key, "i1p", Some(AttributeValue::S("elsewhere".to_owned()))).await,
            _ => world.damage(key, "val", value("\"msg_01KB0000000000000000000000\"")).await,
        }
    }
    // An endpoint that was deleted, and stands there all the same.
    let zombie = keys::webhook(account(), deleted_endpoint(&world).await);
    let zombie = (zombie.partition, zombie.sort);
    world.damage(&zombie, "v", number(1)).await;
    let done = run(&world, &OPTIONS).await.unwrap();
    assert_eq!((done.tally.streams, done.tally.failed), (STREAMS, 0));
    let after = world.table().await;
    for (key, row) in &before {
        assert_eq!(after.get(key), Some(row), "{key:?}");
    }
    assert_eq!(after.len(), before.len());
    assert_eq!(run(&world, &OPTIONS).await.unwrap().tally.right, STREAMS);
}

async fn deleted_endpoint(world: &World) -> waxwing_domain::WebhookEndpointId {
    let deleted = |types: &[String]| types.iter().any(|kind| kind == "webhook_endpoint.deleted");
    let items = world.feed().await;
    let item = items.iter().find(|item| deleted(&item.commit.types));
    item.unwrap().commit.stream.id().parse().unwrap()
}

async fn what_cannot_be_read_is_named_and_the_rest_is_rebuilt(fixture: Fixture) {
    let world = filled(fixture).await;
    let before = world.table().await;
    let stream = StreamName::new("message", "msg_01KB0000000000000000000000");
    let bad = Commit { stream: stream.clone(), ..commit("bad", 1, "no ciphertext") };
    done(world.ports.journal.append(bad, vec![]).await.unwrap());
    for key in world.read_models().await {
        world.delete(&key).await;
    }
    let done = run(&world, &OPTIONS).await.unwrap();
    assert_eq!((done.tally.streams, done.tally.failed), (STREAMS + 1, 1));
    let [failure] = &done.tally.failures[..] else { panic!("{:?}", done.tally) };
    assert_eq!((failure.account, &failure.stream), (account(), &stream));
    assert_eq!(world.table().await, before);
}

async fn a_rebuild_that_was_killed_goes_on_where_it_was(fixture: Fixture) {
    let world = filled(fixture).await;
    let before = world.table().await;
    for key in world.read_models().await {
        world.delete(&key).await;
    }
    let mut kills = 0;
    // Each is ended after some streams, wherever it is then.
    let done = loop {
        let (far, standings) = (Notify::new(), Mutex::new(Vec::<Standing>::new()));
        let report = |standing: Standing| {
            let mut standings = standings.lock().unwrap();
            standings.push(standing);
            if standing.count >= standings[0].count + 6 {
                far.notify_one();
            }
        };
        tokio::select! {
            biased;
            () = far.notified() => kills += 1,
            ended = rebuild(&world.fixture.engine, &world.ports, None, &OPTIONS, &report) => break ended.unwrap(),
        }
        assert!(world.table().await.keys().any(|(pk, _)| *pk == keys::operation("rebuild")));
        assert!(kills < 50);
    };
    assert!(kills > 0 && done.resumed);
    assert_eq!(done.tally.streams, STREAMS, "each counts once: {:?}", done.tally);
    assert_eq!(world.table().await, before, "and the checkpoint is gone");
}

async fn a_stream_that_was_put_aside_is_looked_after_again(fixture: Fixture) {
    let world = filled(fixture).await;
    let sent = world.send("aside".to_owned()).await;
    world.project().await;
    let Key { partition, sort } = keys::message(account(), sent.id);
    world.damage(&(partition, sort), "val", Some(AttributeValue::B(Blob::new("{}")))).await;
    world.pass(Duration::from_secs(1));
    world.sent(sent.id).await;
    // The feed brings the second commit to a row that the projection cannot read.
    let records = world.fixture.engine.records();
    let stream = StreamName::new("message", sent.id);
    let items = world.fixture.engine.feed_of(account(), &stream).await.unwrap();
    let mut push = FeedPush::new(&records, world.projections());
    push.handle(&items[1..]).await.unwrap();
    assert_eq!(parked(&*records, "messages").await.unwrap()[0].stream, stream);

    let done = run(&world, &OPTIONS).await.unwrap();
    assert_eq!((done.unparked, done.tally.failed), (1, 0));
    assert!(parked(&*records, "messages").await.unwrap().is_empty());
    let row = records.get(&keys::message(account(), sent.id), Consistency::Strong).await.unwrap();
    assert_eq!(row.unwrap().version, 2);
}

async fn a_throttled_table_is_waited_for(fixture: Fixture) {
    let world = filled(fixture).await;
    let throttled = Fault::Refused("ProvisionedThroughputExceededException");
    world.fixture.network.disturb("Scan", throttled, 6);
    assert_eq!(run(&world, &OPTIONS).await.unwrap().tally.right, STREAMS);
    // What no other try can change ends it at once, and says so.
    world.fixture.network.disturb("Scan", Fault::Refused("ValidationException"), 3);
    let ended = run(&world, &OPTIONS).await;
    assert!(matches!(ended, Err(OperatorError::Port(PortError::Corrupt(_)))), "{ended:?}");
    world.fixture.network.heal();
    let began_at = world.fixture.clock.now();
    world.pass(Duration::from_secs(60));
    let done = run(&world, &OPTIONS).await.unwrap();
    assert!(done.resumed && done.began_at == began_at, "{done:?}");
    let anew = run(&world, &RebuildOptions { restart: true, ..OPTIONS }).await.unwrap();
    assert!(!anew.resumed && anew.began_at > began_at);
}
