//! API keys through time, and their rows.

use std::time::Duration;

use jiff::SignedDuration;
use waxwing_app::{
    commands::{CreatedApiKey, NewApiKey, Once},
    execute::Cause,
    keys,
    ports::{Guard, Write},
    projections::{ApiKeyProjection, Rebuild},
    queries,
};
use waxwing_domain::Network;

use crate::world::{World, account};

async fn made(world: &World, lasts: Option<Duration>) -> CreatedApiKey {
    let new = NewApiKey {
        expires_at: lasts.map(|lasts| world.clock.ahead(lasts)),
        ..NewApiKey::first(Network::Sandbox)
    };
    let drawn = world.commands.draw_api_key(Network::Sandbox);
    match world.commands.create_api_key(account(), drawn, new, None, &Cause::system()).await.unwrap() {
        Once::Done(created) => created,
        Once::Repeated(_) => unreachable!("the request has no key"),
    }
}

async fn works(world: &World, key: &CreatedApiKey) -> bool {
    world.commands.authenticate(&key.key.0).await.is_ok()
}

#[tokio::test]
async fn a_key_ends_in_its_time_and_overlaps_the_next_for_a_while() {
    let world = World::new();
    let (short, long) = (made(&world, Some(Duration::from_secs(10))).await, made(&world, None).await);
    let overlap = SignedDuration::from_secs(60);
    let cause = Cause::system();
    let next = world.commands.rotate_api_key(account(), long.view.id, overlap, &cause).await.unwrap();
    assert!(works(&world, &short).await && works(&world, &long).await && works(&world, &next).await);
    world.clock.advance(Duration::from_secs(10));
    assert!(!works(&world, &short).await && works(&world, &long).await);
    world.clock.advance(Duration::from_secs(50));
    assert!(!works(&world, &long).await && works(&world, &next).await);
    world.commands.revoke_api_key(account(), next.view.id, &cause).await.unwrap();
    assert!(!works(&world, &next).await);
}

#[tokio::test]
async fn rows_follow_from_the_journal_and_come_back() {
    let world = World::new();
    let (kept, gone) = (made(&world, None).await, made(&world, None).await);
    world.commands.revoke_api_key(account(), gone.view.id, &Cause::system()).await.unwrap();
    let overlap = SignedDuration::from_secs(1);
    world.commands.rotate_api_key(account(), kept.view.id, overlap, &Cause::system()).await.unwrap();
    let records = world.engine.records();
    let before = world.rows(keys::api_keys(account())).await;
    assert_eq!(queries::api_keys(&*records, account()).await.unwrap().len(), 1);

    let projection = ApiKeyProjection { ports: world.ports.clone(), records: records.clone() };
    let lose = Write::Delete(keys::api_key(account(), kept.view.id), Guard::Always);
    records.write_each(vec![lose.clone()]).await.unwrap();
    world.follow(&projection).await;
    assert_eq!(world.rows(keys::api_keys(account())).await, before, "by the feed");

    records.write_each(vec![lose]).await.unwrap();
    let rebuild = Rebuild { ports: world.ports.clone(), records };
    for id in [kept.view.id, gone.view.id] {
        rebuild.stream(account(), &waxwing_app::ports::StreamName::new("api_key", id)).await.unwrap();
    }
    assert_eq!(world.rows(keys::api_keys(account())).await, before, "by rebuilding");
}
