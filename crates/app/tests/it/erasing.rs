//! What is deleted for good cannot be read any more, and the journal can still be replayed.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use waxwing_app::{
    codec,
    commands::{NewSession, Once, Registration},
    execute::{Cause, Execution},
    feed::{Consumer, FeedRunner, parked},
    kept_mail::KeptMail,
    keys,
    ports::{FeedItem, Guard, PortError, Queue, Row, StreamName, Write},
    processes::{Erasing, MailFanOut},
    projections::AuditProjection,
};
use waxwing_domain::{
    AccountId, Network, Secret,
    session::{SessionEvent, SessionSettings},
    user::{User, UserCommand, UserEvent},
};

use crate::world::World;

const EMAIL: &str = "ada@example.com";

fn erasing(world: &World) -> Erasing {
    let (keys, erasure) = (world.engine.keys(), world.engine.erasure());
    Erasing { commands: world.commands.clone(), keys, erasure }
}

fn registration() -> Registration {
    let password = Secret("correct horse".to_owned());
    Registration { email: EMAIL.to_owned(), password, name: "Ada".to_owned() }
}

/// The same consumer, which has seen nothing yet.
struct Replay(MailFanOut);

#[async_trait]
impl Consumer for Replay {
    fn name(&self) -> &'static str {
        "replay"
    }

    fn kinds(&self) -> &'static [&'static str] {
        self.0.kinds()
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        self.0.handle(items).await
    }
}

async fn events_of(world: &World, items: &[FeedItem]) -> Vec<UserEvent> {
    let mut events = Vec::new();
    for item in items.iter().filter(|item| item.commit.stream.kind() == "user") {
        match codec::open::<UserEvent>(&*world.ports.secrets, &item.commit).await {
            Err(PortError::Erased(_)) => {},
            opened => events.extend(opened.unwrap()),
        }
    }
    events
}

#[tokio::test]
async fn a_user_who_is_deleted_leaves_nothing_readable_and_an_address_that_is_free() {
    let world = World::new();
    let made = world.commands.register(registration(), &Cause::system()).await.unwrap();
    let mail = Arc::new(KeptMail { ports: world.ports.clone(), records: world.engine.records() });
    world.mail_by(mail.clone()).await;
    let token = mail.list().await.unwrap()[0].token.clone().unwrap();
    world.commands.verify_email(&token, &Cause::system()).await.unwrap();
    let password = Secret("correct horse".to_owned());
    let sign_in = world.commands.sign_in(EMAIL, &password, None, None, &Cause::system()).await.unwrap();
    let wrong = Secret("wrong horse".to_owned());
    assert!(world.commands.delete_user(made.owner, (&wrong, None), &Cause::system()).await.is_err());
    world.commands.delete_user(made.owner, (&password, None), &Cause::system()).await.unwrap();
    assert!(world.commands.authenticate(&sign_in.access_token.0).await.is_err());
    assert!(world.commands.sign_in(EMAIL, &password, None, None, &Cause::system()).await.is_err());

    let erasing = erasing(&world);
    let items = world.items(&erasing).await;
    assert!(events_of(&world, &items).await.len() >= 4, "readable until it is erased");
    for _ in 0..2 {
        erasing.handle(&items).await.unwrap();
    }
    assert_eq!(events_of(&world, &items).await, [], "and not after");
    // A replay from the beginning comes through: nothing follows from what was erased, and nothing is put aside.
    let (feed, records) = (world.engine.feed(), world.engine.records());
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let replay = Arc::new(Replay(MailFanOut { work: world.engine.work() }));
    let running = tokio::spawn(FeedRunner::new(feed.clone(), records.clone(), replay.clone()).run(stopped));
    while !feed.next(replay.name(), replay.kinds(), 1).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.send_replace(true);
    running.await.unwrap();
    assert!(parked(&*records, replay.name()).await.unwrap().is_empty());
    world.mail_by(mail.clone()).await;
    let dead = world.engine.work().dead(Queue::MAILS, 10).await.unwrap();
    assert_eq!((mail.list().await.unwrap().len(), dead.len()), (1, 0));
    let (user, head) = world
        .ports
        .load::<waxwing_domain::user::User>(AccountId::SYSTEM, &made.owner.to_string())
        .await
        .unwrap();
    assert!(user.registered().is_none() && head >= 3);
    // Somebody else, or the same person, may have the address.
    world.clock.advance(Duration::from_secs(1));
    world.commands.register(registration(), &Cause::system()).await.unwrap();
    let items = world.items(&erasing).await;
    let events = events_of(&world, &items).await;
    assert!(matches!(&events[0], UserEvent::Registered(user) if user.email == EMAIL), "others stay readable");
}

#[tokio::test]
async fn what_a_user_changed_vanishes_with_the_user_and_no_replay_brings_it_back() {
    let world = World::new();
    let made = world.commands.register(registration(), &Cause::system()).await.unwrap();
    let password = Secret("correct horse".to_owned());
    let audit = AuditProjection { ports: world.ports.clone(), records: world.engine.records() };
    let before = world.items(&audit).await;
    world.commands.rename_user(made.owner, "Ada Lovelace".to_owned(), &Cause::system()).await.unwrap();
    world.follow(&audit).await;
    let log = async || world.rows(keys::audit_of_user(made.owner)).await;
    let told: Vec<String> =
        log().await.into_iter().map(|row| String::from_utf8(row.value).unwrap()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains(EMAIL) && told[1].contains("Ada Lovelace"), "{told:?}");
    for secret in ["argon2", "nonce", "correct horse", "$"] {
        assert!(!told.concat().contains(secret), "{secret} in {told:?}");
    }

    world.clock.advance(Duration::from_secs(1));
    world.commands.delete_user(made.owner, (&password, None), &Cause::system()).await.unwrap();
    // The commits of before come again while their key is still in somebody's memory.
    audit.handle(&before).await.unwrap();
    assert!(log().await.is_empty());
    world.follow(&audit).await;
    let erasing = erasing(&world);
    let items = world.items(&erasing).await;
    erasing.handle(&items).await.unwrap();
    let again: Vec<FeedItem> = before.into_iter().chain(items).collect();
    for item in &again {
        match audit.handle(std::slice::from_ref(item)).await {
            Err(PortError::Erased(_)) => {},
            handled => handled.unwrap(),
        }
    }
    assert!(log().await.is_empty());
}

fn straggler(account: AccountId) -> Row {
    let key = keys::audit_entry(account, jiff::Timestamp::UNIX_EPOCH, &StreamName::new("session", "x"), 1);
    Row { key, value: Vec::new(), version: 1, indexes: Vec::new(), expires_at: None }
}

#[tokio::test]
async fn an_account_that_is_deleted_loses_its_sessions_its_rows_and_its_keys() {
    let world = World::new();
    let made = world.commands.register(registration(), &Cause::system()).await.unwrap();
    let account = made.account;
    let key = world.commands.draw_api_key(Network::Sandbox);
    let key = world.commands.create_first_key(account, key, &Cause::system()).await.unwrap();
    let new = |name: &str| {
        let settings = SessionSettings::default();
        NewSession { name: name.to_owned(), phone_number: None, start: true, settings }
    };
    let made_session = world.commands.create_session(account, new("shop"), None, &Cause::system()).await;
    let Once::Done(session) = made_session.unwrap() else { panic!("it was not asked for before") };
    let audit = AuditProjection { ports: world.ports.clone(), records: world.engine.records() };
    world.follow(&audit).await;
    assert!(!world.rows(keys::audit(account)).await.is_empty());
    let neighbour = world.session("neighbour").await;

    let password = Secret("correct horse".to_owned());
    let owner = (account, made.owner);
    let delete = async |password: &Secret| {
        world.commands.delete_account(owner.0, owner.1, (password, None), &Cause::system()).await
    };
    assert!(delete(&Secret("wrong horse".to_owned())).await.is_err());
    delete(&password).await.unwrap();
    assert!(world.commands.authenticate(&key.0).await.is_err(), "at once");

    let erasing = erasing(&world);
    let items = world.items(&erasing).await;
    for _ in 0..2 {
        erasing.handle(&items).await.unwrap();
    }
    assert_eq!(erasing.turn().await.unwrap(), 0, "sessions are asked first");
    let ids = waxwing_app::queries::sessions(&*world.engine.records(), account, None, 10).await.unwrap();
    assert!(ids.sessions.is_empty(), "they are wished away: {ids:?}");
    assert_eq!(erasing.turn().await.unwrap(), 0, "sessions have time to let go");
    world.clock.advance(Duration::from_secs(10));
    assert!(erasing.turn().await.unwrap() > 0);
    assert!(
        world.rows(keys::audit(account)).await.is_empty()
            && world.rows(keys::sessions(account)).await.is_empty()
    );
    // Somebody who had the key in memory writes behind it.
    let late = Row { value: b"late".to_vec(), ..straggler(account) };
    world.engine.records().write_each(vec![Write::Put(late, Guard::Always)]).await.unwrap();
    assert_eq!(erasing.turn().await.unwrap(), 0, "not yet");
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(erasing.turn().await.unwrap(), 1);
    assert!(world.rows(keys::erasures()).await.is_empty(), "it is done");
    assert_eq!(erasing.turn().await.unwrap(), 0);
    let stream = StreamName::new("session", session.id.to_string());
    for commit in world.ports.journal.read(account, &stream).await.unwrap() {
        let opened = codec::open::<SessionEvent>(&*world.ports.secrets, &commit).await;
        assert!(matches!(opened, Err(PortError::Erased(_))), "{opened:?}");
    }
    let refused = world.commands.create_session(account, new("late"), None, &Cause::system()).await;
    assert!(refused.is_err(), "nothing begins anew");
    let records = world.engine.records();
    let theirs =
        waxwing_app::queries::session(&world.ports, &*records, crate::world::account(), neighbour).await;
    assert!(theirs.unwrap().is_some(), "others keep what is theirs");
}

#[tokio::test]
async fn accounts_of_a_user_who_is_gone_end_also_when_the_process_ended_in_between() {
    let world = World::new();
    let made = world.commands.register(registration(), &Cause::system()).await.unwrap();
    let key = world.commands.draw_api_key(Network::Sandbox);
    let key = world.commands.create_first_key(made.account, key, &Cause::system()).await.unwrap();
    world.commands.authenticate(&key.0).await.unwrap();
    // What the first commit of a deletion leaves.
    let (id, command) = (made.owner.to_string(), UserCommand::Delete { at: world.ports.clock.now() });
    let cause = Cause::system();
    let execution = Execution::<User> {
        account: AccountId::SYSTEM,
        id: &id,
        command,
        fresh: false,
        claims: Vec::new(),
        cause: &cause,
    };
    world.ports.execute(execution).await.unwrap();
    world.commands.authenticate(&key.0).await.unwrap();
    let erasing = erasing(&world);
    let items = world.items(&erasing).await;
    for _ in 0..2 {
        erasing.handle(&items).await.unwrap();
    }
    erasing.turn().await.unwrap();
    assert!(world.commands.authenticate(&key.0).await.is_err(), "the account has ended");
    assert!(world.rows(keys::leavings()).await.is_empty());
    // A replay finds nobody's accounts any more.
    erasing.handle(&items).await.unwrap();
    assert!(world.rows(keys::leavings()).await.is_empty());
}
