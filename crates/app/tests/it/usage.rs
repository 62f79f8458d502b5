//! Usage is counted from rows, and exact whatever comes twice or late.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _, civil::Date};
use waxwing_app::{
    commands::Outcomes,
    feed::Consumer as _,
    identities::Identities,
    keys,
    ports::{Clock as _, Consistency, FeedItem, Guard, Order, Row, StreamName, Write},
    projections::{MessageProjection, Rebuild, Rebuilt},
    queries::{UsageCounts, UsageDay, usage, usage_within, utc_day},
    views::MessageView,
};
use waxwing_domain::{
    Content, Context, Jid, MessageId, Person, SessionId, Text,
    message::{MessageStatus, ReceiptStep, ReceiveMessage, RecordReceipt},
};

use crate::world::{World, account};

const CHAT: &str = "15550002222@s.whatsapp.net";
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn projection(world: &World) -> MessageProjection {
    MessageProjection { ports: world.ports.clone(), records: world.engine.records() }
}

fn outcomes(world: &World) -> Outcomes {
    Outcomes { ports: world.ports.clone(), identities: Identities::new(world.engine.records()) }
}

fn person(jid: &str) -> Person {
    Person::from_jid(Jid::parse(jid).unwrap())
}

fn today(world: &World) -> Date {
    utc_day(world.clock.now())
}

async fn receive(world: &World, session: SessionId, id: &str, from_me: bool) -> MessageId {
    let message = ReceiveMessage {
        session_id: session,
        chat: person(CHAT),
        from: person(CHAT),
        to: person("15550009999@s.whatsapp.net"),
        from_me,
        whatsapp_id: id.to_owned(),
        content: Content::Text { text: Text("Hello".to_owned()), link_preview: true },
        context: Context::default(),
        at: world.clock.now(),
    };
    outcomes(world).received(account(), message).await.unwrap()
}

async fn import(world: &World, session: SessionId, id: &str, at: Timestamp) {
    let message = ReceiveMessage {
        session_id: session,
        chat: person(CHAT),
        from: person(CHAT),
        to: person("15550009999@s.whatsapp.net"),
        from_me: false,
        whatsapp_id: id.to_owned(),
        content: Content::Text { text: Text("Once".to_owned()), link_preview: true },
        context: Context::default(),
        at,
    };
    outcomes(world).imported(account(), message, MessageStatus::Read, false).await.unwrap();
}

async fn used(world: &World, from: Date, to: Date) -> Vec<UsageDay> {
    usage(&*world.engine.records(), &*world.clock, account(), (from, to)).await.unwrap()
}

/// With so many queries and no more.
async fn within(world: &World, days: (Date, Date), queries_max: usize) -> Vec<UsageDay> {
    usage_within(&*world.engine.records(), &*world.clock, account(), days, queries_max).await.unwrap()
}

/// Asks again until all is counted, and says how often that was.
async fn until_complete(world: &World, days: (Date, Date), queries_max: usize) -> (Vec<UsageDay>, usize) {
    let mut told = Vec::new();
    for calls in 1..=100 {
        told = within(world, days, queries_max).await;
        if told.iter().all(|day| day.complete) {
            return (told, calls);
        }
    }
    panic!("still being counted after 100 requests: {told:?}")
}

async fn counts(world: &World, day: Date) -> UsageCounts {
    let [told] = used(world, day, day).await[..] else { panic!("one day") };
    assert!(told.complete && told.day == day);
    told.counts
}

fn some(sent: u64, sent_from_phone: u64, received: u64, sessions: u64) -> UsageCounts {
    UsageCounts { sent, sent_from_phone, received, sessions }
}

async fn items(world: &World, id: MessageId) -> Vec<FeedItem> {
    let commits = world.ports.journal.read(account(), &StreamName::new("message", id)).await.unwrap();
    commits.into_iter().map(|commit| FeedItem { order: Order(commit.version.to_string()), commit }).collect()
}

async fn row(world: &World, id: MessageId) -> Row {
    let key = keys::message(account(), id);
    world.engine.records().get(&key, Consistency::Strong).await.unwrap().unwrap()
}

async fn write(world: &World, write: Write) {
    world.engine.records().write_each(vec![write]).await.unwrap();
}

#[tokio::test]
async fn a_message_counts_once_on_the_day_on_which_it_was_recorded() {
    let world = World::new();
    let projection = projection(&world);
    let (shop, desk) = (world.session("shop").await, world.session("desk").await);
    world.session("idle").await;
    let first = today(&world);
    let id = world.send(shop, CHAT, "one").await.id;
    world.clock.advance(Duration::from_secs(1));
    world.send(shop, CHAT, "two").await;
    receive(&world, shop, "3EB01", false).await;
    receive(&world, desk, "3EB02", true).await;
    // Of long ago, and of today: nothing of it was work here.
    import(&world, desk, "3EB03", world.clock.now() - 100.hours()).await;
    import(&world, desk, "3EB04", world.clock.now()).await;
    outcomes(&world).sent(account(), &id.into(), world.clock.now()).await.unwrap();
    let all = world.items(&projection).await;
    world.follow(&projection).await;
    assert_eq!(counts(&world, first).await, some(2, 1, 1, 2));

    world.clock.advance(DAY);
    receive(&world, desk, "3EB05", false).await;
    // A step of yesterday's message is no message of today.
    let receipt = RecordReceipt { step: ReceiptStep::Read, recipient: person(CHAT), at: world.clock.now() };
    outcomes(&world).receipt(account(), shop, id, receipt).await.unwrap();
    world.follow(&projection).await;
    assert_eq!(counts(&world, first).await, some(2, 1, 1, 2));
    assert_eq!(counts(&world, today(&world)).await, some(0, 0, 1, 1));
    // The same commits once more, at once and years later, before and after the days were counted for good.
    for years in [0, 3] {
        world.clock.advance(365 * DAY * years);
        for _ in 0..2 {
            projection.handle(&all).await.unwrap();
            let told = used(&world, first, first.tomorrow().unwrap()).await;
            assert_eq!(
                told.iter().map(|day| (day.complete, day.counts)).collect::<Vec<_>>(),
                [(true, some(2, 1, 1, 2)), (true, some(0, 0, 1, 1))]
            );
        }
    }
    let early = first.yesterday().unwrap();
    assert_eq!(counts(&world, early).await, UsageCounts::default());
}

#[tokio::test]
async fn the_count_of_a_day_that_is_over_is_kept_until_a_message_comes_late() {
    let world = World::new();
    let projection = projection(&world);
    let shop = world.session("shop").await;
    let day = today(&world);
    world.send(shop, CHAT, "in time").await;
    world.follow(&projection).await;
    let kept = async || world.rows(keys::usage(account())).await;
    let late = world.send(shop, CHAT, "late").await.id;
    counts(&world, day).await;
    world.clock.advance(DAY + Duration::from_secs(2 * 3_600 - 1));
    counts(&world, day).await;
    assert!(kept().await.is_empty(), "it is not over yet");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(counts(&world, day).await, some(1, 0, 0, 1));
    assert_eq!(kept().await.len(), 1);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(
        (counts(&world, day).await, kept().await[0].version),
        (some(1, 0, 0, 1), 2),
        "not counted again"
    );
    // The feed stood still all the time, and now brings the other one.
    projection.handle(&items(&world, late).await).await.unwrap();
    assert_eq!(counts(&world, day).await, some(2, 0, 0, 1));

    // A row that was lost, and comes back by a rebuild.
    let lost = row(&world, late).await;
    write(&world, Write::Delete(lost.key.clone(), Guard::Always)).await;
    write(&world, Write::Delete(keys::usage_of_day(account(), day), Guard::Always)).await;
    assert_eq!(counts(&world, day).await, some(1, 0, 0, 1));
    let rebuild = Rebuild { ports: world.ports.clone(), records: world.engine.records() };
    let stream = StreamName::new("message", late);
    assert_eq!(rebuild.stream(account(), &stream).await.unwrap(), Rebuilt::Replaced);
    assert_eq!(counts(&world, day).await, some(2, 0, 0, 1));
    assert_eq!(rebuild.stream(account(), &stream).await.unwrap(), Rebuilt::Right);
    assert_eq!(kept().await.len(), 1, "what was right counts on");
}

#[tokio::test]
async fn a_place_that_an_earlier_version_wrote_counts_as_well() {
    let world = World::new();
    let shop = world.session("shop").await;
    let day = today(&world);
    let out = world.send(shop, CHAT, "out").await.id;
    let inbound = receive(&world, shop, "3EB01", false).await;
    world.follow(&projection(&world)).await;
    for id in [out, inbound] {
        let mut old = row(&world, id).await;
        for place in &mut old.indexes {
            let (position, _) = place.sort.rsplit_once('/').unwrap();
            place.sort = position.to_owned();
        }
        let view: MessageView = waxwing_app::rows::value(&old).unwrap();
        assert!(view.position().starts_with(&old.indexes[0].sort));
        write(&world, Write::Put(old, Guard::Always)).await;
    }
    assert_eq!(counts(&world, day).await, some(1, 0, 1, 1));
}

#[tokio::test]
async fn places_of_an_earlier_version_that_are_too_many_are_counted_by_several_requests() {
    const MESSAGES: u64 = 130;
    let world = World::new();
    let shop = world.session("shop").await;
    let day = today(&world);
    let mut received = Vec::new();
    for number in 0..MESSAGES {
        received.push(receive(&world, shop, &format!("3EB{number}"), false).await);
        world.clock.advance(Duration::from_millis(number % 2));
    }
    world.follow(&projection(&world)).await;
    let mut rows = Vec::new();
    for id in received {
        let new = row(&world, id).await;
        let mut old = new.clone();
        for place in &mut old.indexes {
            let (position, _) = place.sort.rsplit_once('/').unwrap();
            place.sort = position.to_owned();
        }
        write(&world, Write::Put(old, Guard::Always)).await;
        rows.push(new);
    }
    world.clock.advance(DAY + Duration::from_secs(3 * 3_600));
    // The day's row, a page of sessions, one of places, and rows of 100 messages.
    let told = within(&world, (day, day), 4).await;
    assert!(!told[0].complete, "{told:?}");
    // Meanwhile each of the messages gets a place of this version.
    for row in rows {
        write(&world, Write::Put(row, Guard::Always)).await;
    }
    let told = within(&world, (day, day), 4).await;
    assert_eq!((told[0].complete, told[0].counts), (true, some(0, 0, MESSAGES, 1)));
}

/// A page and a half of sessions, and a budget for a few of them.
#[tokio::test]
async fn an_account_with_more_sessions_than_one_request_counts_is_counted_in_the_end() {
    const SESSIONS: u64 = 150;
    const QUERIES: usize = 40;
    let world = World::new();
    let mut made = Vec::new();
    for number in 0..SESSIONS {
        made.push(world.session(&format!("shop {number}")).await);
    }
    let yesterday = today(&world);
    for session in &made {
        receive(&world, *session, &format!("3EB0{session}"), false).await;
    }
    world.clock.advance(DAY);
    let day = today(&world);
    for session in &made {
        receive(&world, *session, &format!("3EB1{session}"), true).await;
    }
    let projection = projection(&world);
    world.follow(&projection).await;
    let days = (yesterday, day);
    let is_over = async |day: Date| {
        let kept = world.rows(keys::usage(account())).await;
        kept.iter().any(|row| row.key == keys::usage_of_day(account(), day))
    };
    // Whether yesterday counts as over or not.
    for is_yesterday_over in [false, true] {
        let (told, calls) = until_complete(&world, days, QUERIES).await;
        assert_eq!(
            [told[0].counts, told[1].counts],
            [some(0, 0, SESSIONS, SESSIONS), some(0, SESSIONS, 0, SESSIONS)]
        );
        assert!(calls > 3, "{calls}");
        assert_eq!((is_over(yesterday).await, is_over(day).await), (is_yesterday_over, false));
        let (_, calls) = until_complete(&world, days, QUERIES).await;
        assert_eq!(calls, 1, "kept for a moment");
        world.clock.advance(Duration::from_secs(3 * 3_600));
    }
    // The count of a day that was not over is no longer there for the next ones.
    world.send(made[0], CHAT, "later").await;
    world.follow(&projection).await;
    let (told, calls) = until_complete(&world, days, QUERIES).await;
    assert_eq!(told[1].counts, some(1, SESSIONS, 0, SESSIONS));
    assert!(calls > 3, "{calls}");
    world.send(made[1], CHAT, "later still").await;
    world.follow(&projection).await;
    world.clock.advance(DAY);
    let (told, _) = until_complete(&world, days, QUERIES).await;
    assert_eq!(told[1].counts, some(2, SESSIONS, 0, SESSIONS));
    assert!(is_over(day).await, "and counted for good");
}

#[tokio::test]
async fn what_is_too_much_for_one_request_is_counted_by_several() {
    let world = World::new();
    // Of 92 days the 91 that are over cost at least a query for each session, and two writes.
    const SESSIONS: u64 = 7;
    const QUERIES: usize = 500;
    let mut made = Vec::new();
    for number in 0..SESSIONS {
        made.push(world.session(&format!("shop {number}")).await);
    }
    world.clock.advance(DAY);
    let first = today(&world);
    for session in &made {
        receive(&world, *session, &format!("3EB0{session}"), false).await;
    }
    world.clock.advance(91 * DAY + Duration::from_secs(3_600 * 3));
    world.send(made[0], CHAT, "now").await;
    let mut projection = projection(&world);
    world.follow(&projection).await;
    let days = (first, first.saturating_add(91.days()));
    let told = within(&world, days, QUERIES).await;
    assert_eq!(told.len(), 92);
    assert!(!told[0].complete && !told[91].complete, "this was too much");
    assert!(told[90].complete, "of the days that are over the latest is counted first: {:?}", told[90]);
    projection = self::projection(&world);
    // In between the feed repeats itself.
    let whole = items(&world, world.send(made[1], CHAT, "now, too").await.id).await;
    projection.handle(&whole).await.unwrap();
    let told = within(&world, days, QUERIES).await;
    assert!(told.iter().all(|day| day.complete), "{told:?}");
    assert_eq!((told[0].counts, told[1].counts), (some(0, 0, SESSIONS, SESSIONS), UsageCounts::default()));
    assert_eq!(told[91].counts, some(2, 0, 0, 2));
    assert!(used(&world, days.1, days.0).await.is_empty(), "no days");
}
