use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::BoxFuture;
use waxwing_app::{
    commands::{Outcomes, Registration},
    execute::{Cause, CommandPorts},
    features::FeatureSwitches,
    feed::Consumer as _,
    identities::Identities,
    keys,
    ports::{
        Clock as _, Consistency, FeedItem, Guard, Key, Order, PortError, Query, Records, Row, StreamName,
        Write,
    },
    projections::{AuditProjection, DirectoryProjection, MessageProjection, Rebuild, Rebuilt},
};
use waxwing_domain::{AccountId, Feature, MessageId, Secret, feature::FEATURES};

use crate::world::{World, account};

const CHAT: &str = "15550002222@s.whatsapp.net";

/// Lets something happen just before the first write.
struct Overtaken {
    inner: Arc<dyn Records>,
    late: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl Overtaken {
    fn by(world: &World, late: BoxFuture<'static, ()>) -> Arc<Self> {
        Arc::new(Self { inner: world.engine.records(), late: Mutex::new(Some(late)) })
    }
}

#[async_trait]
impl Records for Overtaken {
    async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Row>, PortError> {
        self.inner.get(key, consistency).await
    }

    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<bool>, PortError> {
        let late = self.late.lock().unwrap().take();
        if let Some(late) = late {
            late.await;
        }
        self.inner.write_each(writes).await
    }

    async fn write_all(&self, writes: Vec<Write>) -> Result<(), PortError> {
        self.inner.write_all(writes).await
    }

    async fn query(&self, query: Query) -> Result<Vec<Row>, PortError> {
        self.inner.query(query).await
    }
}

async fn items(world: &World, id: MessageId) -> Vec<FeedItem> {
    items_of(&world.ports, account(), &StreamName::new("message", id)).await
}

async fn items_of(ports: &CommandPorts, account: AccountId, stream: &StreamName) -> Vec<FeedItem> {
    let commits = ports.journal.read(account, stream).await.unwrap();
    commits.into_iter().map(|commit| FeedItem { order: Order(commit.version.to_string()), commit }).collect()
}

/// A sent message, its row as it should be, and the same with a value that is wrong.
async fn sent(world: &World) -> (MessageId, Row, Row) {
    let session = world.session("shop").await;
    let id = world.send(session, CHAT, "hello").await.id;
    let outcomes =
        Outcomes { ports: world.ports.clone(), identities: Identities::new(world.engine.records()) };
    outcomes.sent(account(), &id.into(), world.clock.now()).await.unwrap();
    let projection = MessageProjection { ports: world.ports.clone(), records: world.engine.records() };
    projection.handle(&items(world, id).await).await.unwrap();
    let right = row(world, id).await;
    let value = String::from_utf8(right.value.clone()).unwrap().replace("hello", "wrong").into_bytes();
    assert!(value != right.value);
    (id, right.clone(), Row { value, ..right })
}

async fn row(world: &World, id: MessageId) -> Row {
    let key = keys::message(account(), id);
    world.engine.records().get(&key, Consistency::Strong).await.unwrap().unwrap()
}

async fn put(world: &World, row: Row) {
    world.engine.records().write_each(vec![Write::Put(row, Guard::Always)]).await.unwrap();
}

#[tokio::test]
async fn a_projection_that_read_a_damaged_row_cannot_bring_it_back() {
    let world = World::new();
    let (id, right, damaged) = sent(&world).await;
    let stream = StreamName::new("message", id);
    // The row is damaged at version 1. A projection has read it, and puts version 2 on top: before the rebuild writes,
    // or behind it.
    let first = Row { version: 1, ..damaged.clone() };
    put(&world, first).await;
    let late = vec![Write::Put(damaged.clone(), Guard::Newer)];
    let (inner, overtaking) = (world.engine.records(), late.clone());
    let records = Overtaken::by(
        &world,
        Box::pin(async move {
            inner.write_each(overtaking).await.unwrap();
        }),
    );
    let rebuild = Rebuild { ports: world.ports.clone(), records };
    assert_eq!(rebuild.stream(account(), &stream).await.unwrap(), Rebuilt::Replaced);
    assert_eq!(row(&world, id).await, right);

    put(&world, Row { version: 1, ..damaged }).await;
    assert_eq!(rebuild.stream(account(), &stream).await.unwrap(), Rebuilt::Replaced);
    let applied = world.engine.records().write_each(late).await.unwrap();
    assert_eq!((applied, row(&world, id).await), (vec![false], right));
    assert_eq!(rebuild.stream(account(), &stream).await.unwrap(), Rebuilt::Right);
}

#[tokio::test]
async fn a_commit_that_comes_meanwhile_is_not_lost() {
    let world = World::new();
    let (id, right, damaged) = sent(&world).await;
    let stream = StreamName::new("message", id);
    // What a projection of a commit after ours would write, as far as the row shows: the stream does not have it, so it is
    // taken for damaged, but not at the first look.
    put(&world, Row { version: 3, ..damaged.clone() }).await;
    let rebuild = Rebuild { ports: world.ports.clone(), records: world.engine.records() };
    assert_eq!(rebuild.stream(account(), &stream).await.unwrap(), Rebuilt::Replaced);
    assert_eq!(row(&world, id).await, right);
    // A row that moves each time is given up for now.
    struct Moving(Arc<dyn Records>);
    #[async_trait]
    impl Records for Moving {
        async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Row>, PortError> {
            let row = self.0.get(key, consistency).await?;
            Ok(row.map(|row| Row { version: row.version + 1_000, ..row }))
        }

        async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<bool>, PortError> {
            self.0.write_each(writes).await
        }

        async fn write_all(&self, writes: Vec<Write>) -> Result<(), PortError> {
            self.0.write_all(writes).await
        }

        async fn query(&self, query: Query) -> Result<Vec<Row>, PortError> {
            self.0.query(query).await
        }
    }
    let rebuild = Rebuild { ports: world.ports.clone(), records: Arc::new(Moving(world.engine.records())) };
    let ended = rebuild.stream(account(), &stream).await;
    assert!(ended.is_err_and(|error| error.is_transient()));
    assert_eq!(row(&world, id).await, right);
}

#[tokio::test]
async fn what_has_no_rows_is_left_alone() {
    let world = World::new();
    let rebuild = Rebuild { ports: world.ports.clone(), records: world.engine.records() };
    let call = StreamName::new("call", "call_1");
    assert_eq!(rebuild.stream(account(), &call).await.unwrap(), Rebuilt::NoRows);
}

#[tokio::test]
async fn the_log_and_the_operators_lists_come_back_as_they_were_and_what_was_erased_does_not() {
    let world = World::new();
    let (email, password) = ("ada@example.com".to_owned(), Secret("correct horse".to_owned()));
    let registration = Registration { email, password: password.clone(), name: "Ada".to_owned() };
    let made = world.commands.register(registration, &Cause::system()).await.unwrap();
    let off = (Feature::Sending, Some(false));
    world.commands.switch_feature(made.account, off, &Cause::system()).await.unwrap();
    let switches = FeatureSwitches::new(world.ports.clone(), false);
    switches.switch(Feature::Webhooks, false, &Cause::system()).await.unwrap();
    let (ports, records) = (world.ports.clone(), world.engine.records());
    let audit = AuditProjection { ports: ports.clone(), records: records.clone() };
    let directory = DirectoryProjection { ports: ports.clone(), records: records.clone() };
    world.follow(&audit).await;
    world.follow(&directory).await;
    let of_user = keys::audit_of_user(made.owner);
    let all = async || {
        let partitions = [
            keys::audit(made.account),
            keys::audit(AccountId::SYSTEM),
            of_user.clone(),
            keys::accounts(),
            keys::users(),
        ];
        let mut all = Vec::new();
        for partition in partitions {
            all.push(world.rows(partition).await);
        }
        all
    };
    let before = all().await;
    assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1, 1, 1]);
    for row in before.iter().flatten() {
        let wrong = Row { value: b"{}".to_vec(), ..row.clone() };
        let write = match row.key.partition == keys::users() {
            true => Write::Delete(row.key.clone(), Guard::Always),
            false => Write::Put(wrong, Guard::Always),
        };
        records.write_each(vec![write]).await.unwrap();
    }
    let rebuild = Rebuild { ports, records: records.clone() };
    let streams = [
        (made.account, StreamName::new("account", made.account)),
        (AccountId::SYSTEM, StreamName::new("user", made.owner)),
        (AccountId::SYSTEM, StreamName::new("features", FEATURES)),
    ];
    for expected in [Rebuilt::Replaced, Rebuilt::Right] {
        for (account, stream) in &streams {
            assert_eq!(rebuild.stream(*account, stream).await.unwrap(), expected, "{stream}");
        }
        assert_eq!(all().await, before);
    }

    world.commands.delete_user(made.owner, (&password, None), &Cause::system()).await.unwrap();
    world.engine.keys().destroy(made.owner.key_owner()).await.unwrap();
    assert_eq!(rebuild.stream(streams[1].0, &streams[1].1).await.unwrap(), Rebuilt::Replaced);
    assert!(world.rows(keys::users()).await.is_empty(), "nobody is there any more");
    assert!(world.rows(of_user).await.is_empty(), "and nothing is told of who is gone");
    // A week's log is shown, an age's is not.
    world.clock.advance(Duration::from_secs(401 * 24 * 3_600));
    for (account, stream) in &streams[2..] {
        assert_eq!(rebuild.stream(*account, stream).await.unwrap(), Rebuilt::Right);
    }
    assert!(world.rows(keys::audit(AccountId::SYSTEM)).await.is_empty());
}

#[tokio::test]
async fn a_user_who_is_deleted_during_the_rebuild_stays_forgotten() {
    let world = World::new();
    let (email, password) = ("ada@example.com".to_owned(), Secret("correct horse".to_owned()));
    let registration = Registration { email, password: password.clone(), name: "Ada".to_owned() };
    let user = world.commands.register(registration, &Cause::system()).await.unwrap().owner;
    let stream = StreamName::new("user", user);
    // No entry is there yet, so the rebuild writes one. Before it does, the user goes, and the consumer has forgotten them.
    let (ports, commands) = (world.ports.clone(), world.commands.clone());
    let audit = AuditProjection { ports: ports.clone(), records: world.engine.records() };
    let (ended, log) = (stream.clone(), keys::audit_of_user(user));
    let records = Overtaken::by(
        &world,
        Box::pin(async move {
            commands.delete_user(user, (&password, None), &Cause::system()).await.unwrap();
            audit.handle(&items_of(&ports, AccountId::SYSTEM, &ended).await).await.unwrap();
        }),
    );
    let rebuild = Rebuild { ports: world.ports.clone(), records: records.clone() };
    assert_eq!(rebuild.stream(AccountId::SYSTEM, &stream).await.unwrap(), Rebuilt::Replaced);
    assert!(records.late.lock().unwrap().is_none(), "the user went meanwhile");
    assert!(world.rows(log.clone()).await.is_empty());

    // What somebody else brought back goes as well.
    let late = keys::audit_entry(AccountId::SYSTEM, world.clock.now(), &stream, 1);
    let late = Row { key: late, value: b"{}".to_vec(), version: 1, indexes: Vec::new(), expires_at: None };
    put(&world, late).await;
    for expected in [Rebuilt::Replaced, Rebuilt::Right] {
        assert_eq!(rebuild.stream(AccountId::SYSTEM, &stream).await.unwrap(), expected);
        assert!(world.rows(log.clone()).await.is_empty());
    }
}

#[tokio::test]
async fn a_projection_that_read_a_user_before_the_end_brings_nothing_back() {
    let world = World::new();
    let (email, password) = ("ada@example.com".to_owned(), Secret("correct horse".to_owned()));
    let registration = Registration { email, password: password.clone(), name: "Ada".to_owned() };
    let user = world.commands.register(registration, &Cause::system()).await.unwrap().owner;
    let stream = StreamName::new("user", user);
    let before = items_of(&world.ports, AccountId::SYSTEM, &stream).await;
    let (ports, commands) = (world.ports.clone(), world.commands.clone());
    let audit = AuditProjection { ports: ports.clone(), records: world.engine.records() };
    let ended = stream.clone();
    let records = Overtaken::by(
        &world,
        Box::pin(async move {
            commands.delete_user(user, (&password, None), &Cause::system()).await.unwrap();
            audit.handle(&items_of(&ports, AccountId::SYSTEM, &ended).await).await.unwrap();
        }),
    );
    let again = AuditProjection { ports: world.ports.clone(), records };
    again.handle(&before).await.unwrap();
    assert!(world.rows(keys::audit_of_user(user)).await.is_empty());
}
