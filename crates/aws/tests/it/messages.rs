//! Messages through the use cases, as far as this engine goes.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use waxwing_app::{
    commands::{Commands, NewMessage, NewSession, Once},
    execute::{Cause, CommandPorts},
    feed::Consumer as _,
    id_source::IdSource,
    keys,
    ports::{Bounds, FeedItem, Order, Query, StreamName},
    projections::MessageProjection,
    views::MessageView,
};
use waxwing_domain::{Content, Jid, MessageId, Network, SessionId, Text, session::SessionSettings};

use crate::{
    fixture::{Fixture, account, entropy},
    on_both,
};

on_both!(an_ordinary_messages_commit_takes_one_write_unit, the_longest_text_is_kept_whole,);

const WRITE_UNIT_BYTES: usize = 1_024;

struct World {
    fixture: Fixture,
    ports: CommandPorts,
    commands: Commands,
    session: SessionId,
}

impl World {
    async fn new(fixture: Fixture) -> Self {
        let clock = fixture.clock.clone();
        let ports = CommandPorts {
            journal: fixture.engine.journal(),
            secrets: fixture.engine.secrets(),
            clock: clock.clone(),
        };
        let entropy = entropy();
        let commands = Commands {
            ports: ports.clone(),
            records: fixture.engine.records(),
            entropy: entropy.clone(),
            ids: Arc::new(IdSource::new(clock, entropy)),
            network: Network::Sandbox,
        };
        let settings = SessionSettings::default();
        let new = NewSession { name: "shop".to_owned(), phone_number: None, start: true, settings };
        let made = commands.create_session(account(), new, None, &cause()).await.unwrap();
        let Once::Done(session) = made else { unreachable!("the request has no key") };
        Self { fixture, ports, commands, session: session.id }
    }

    async fn send(&self, text: String) -> MessageView {
        let new = NewMessage {
            session_id: self.session,
            to: Jid::parse("15550001111@s.whatsapp.net").unwrap(),
            content: Content::Text { text: Text(text), link_preview: true },
            expires_at: None,
            metadata: None,
        };
        match self.commands.send_message(account(), new, None, &cause()).await.unwrap() {
            Once::Done(view) => view,
            Once::Repeated(_) => unreachable!("the request has no key"),
        }
    }
}

impl World {
    /// What the feed would bring to the projection.
    async fn project(&self, id: MessageId) {
        let stream = StreamName::new("message", id);
        let commits = self.ports.journal.read(account(), &stream).await.unwrap();
        let items: Vec<FeedItem> =
            commits.into_iter().map(|commit| FeedItem { order: Order(id.to_string()), commit }).collect();
        let projection =
            MessageProjection { ports: self.ports.clone(), records: self.fixture.engine.records() };
        projection.handle(&items).await.unwrap();
    }

    /// Size of an item as DynamoDB counts: names and texts in UTF-8, a number by its digits.
    async fn item_bytes(&self, table: &str, key: [(&str, AttributeValue); 2]) -> usize {
        let get = self.fixture.dynamo().get_item().table_name(table);
        let get = key.into_iter().fold(get, |get, (name, value)| get.key(name, value));
        let value = |value: &AttributeValue| match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::B(bytes) => bytes.as_ref().len(),
            AttributeValue::N(number) => number.len().div_ceil(2) + 1,
            other => unreachable!("no item has {other:?}"),
        };
        let item = get.send().await.unwrap().item.unwrap();
        item.iter().map(|(name, attribute)| name.len() + value(attribute)).sum()
    }
}

fn cause() -> Cause {
    Cause {
        actor: "key_01KB0000000000000000000000".to_owned(),
        request_id: Some("req_01KB0000000000000000000000".to_owned()),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
    }
}

const ORDINARY: &str = "Your order 4711 is on its way and will be with you on Tuesday. Thank you!";

async fn an_ordinary_messages_commit_takes_one_write_unit(fixture: Fixture) {
    let world = World::new(fixture).await;
    let sent = world.send(ORDINARY.to_owned()).await;
    world.project(sent.id).await;
    let Fixture { settings, .. } = &world.fixture;
    let stream = format!("{}/message/{}", account(), sent.id);
    let commit = [("pk", AttributeValue::S(stream)), ("v", AttributeValue::N("1".to_owned()))];
    let commit = world.item_bytes(&settings.journal_table, commit).await;
    let key = keys::message(account(), sent.id);
    let row = [("pk", AttributeValue::S(key.partition)), ("sk", AttributeValue::S(key.sort))];
    let row = world.item_bytes(&settings.records_table, row).await;
    println!("a message of {} characters: its commit takes {commit} bytes, its row {row}", ORDINARY.len());
    assert!(commit <= WRITE_UNIT_BYTES, "{commit} bytes");
}

async fn the_longest_text_is_kept_whole(fixture: Fixture) {
    let world = World::new(fixture).await;
    // Each of these takes six characters in JSON.
    let text: String =
        ('\u{1}'..='\u{1f}').filter(|c| !"\u{8}\t\n\u{c}\r".contains(*c)).cycle().take(65_536).collect();
    let sent = world.send(text.clone()).await;
    world.project(sent.id).await;
    let query = Query {
        index: keys::BY_SESSION,
        partition: keys::messages_of_session(account(), world.session),
        bounds: Bounds::default(),
        descending: true,
        limit: 50,
    };
    let rows = world.fixture.engine.records().query(query).await.unwrap();
    let [row] = &rows[..] else { panic!("one message was sent, and {} are listed", rows.len()) };
    assert!(row.value.len() > 6 * 65_536, "the text takes as much room as a text can");
    let view: MessageView = waxwing_app::rows::value(row).unwrap();
    assert_eq!(view.id, sent.id);
    assert!(matches!(view.content, Content::Text { text: kept, .. } if kept.0 == text));
}
