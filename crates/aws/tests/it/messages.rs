//! Messages through the use cases, as far as this engine goes.

use aws_sdk_dynamodb::types::AttributeValue;
use waxwing_app::{
    feed::Consumer as _,
    keys,
    ports::{Bounds, Query, StreamName},
    projections::MessageProjection,
    views::MessageView,
};
use waxwing_domain::{Content, MessageId};

use crate::{
    fixture::{Fixture, account},
    on_both,
    world::World,
};

on_both!(an_ordinary_messages_commit_and_row_take_one_write_unit_each, the_longest_text_is_kept_whole,);

const WRITE_UNIT_BYTES: usize = 1_024;

impl World {
    /// What the feed would bring to the projection.
    async fn project_one(&self, id: MessageId) {
        let stream = StreamName::new("message", id);
        let items = self.fixture.engine.feed_of(account(), &stream).await.unwrap();
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

const ORDINARY: &str = "Your order 4711 is on its way and will be with you on Tuesday. Thank you!";

async fn an_ordinary_messages_commit_and_row_take_one_write_unit_each(fixture: Fixture) {
    let world = World::new(fixture).await;
    let sent = world.send(ORDINARY.to_owned()).await;
    // All its steps, so that the row is as long as it becomes.
    world.sent(sent.id).await;
    world.receipts(sent.id).await;
    world.project_one(sent.id).await;
    let Fixture { settings, .. } = &world.fixture;
    let stream = format!("{}/message/{}", account(), sent.id);
    let commit = [("pk", AttributeValue::S(stream)), ("v", AttributeValue::N("1".to_owned()))];
    let commit = world.item_bytes(&settings.journal_table, commit).await;
    let key = keys::message(account(), sent.id);
    let row = [("pk", AttributeValue::S(key.partition)), ("sk", AttributeValue::S(key.sort))];
    let row = world.item_bytes(&settings.records_table, row).await;
    println!("a message of {} characters: its commit takes {commit} bytes, its row {row}", ORDINARY.len());
    assert!(commit <= WRITE_UNIT_BYTES, "{commit} bytes");
    assert!(row <= WRITE_UNIT_BYTES, "{row} bytes");
}

async fn the_longest_text_is_kept_whole(fixture: Fixture) {
    let world = World::new(fixture).await;
    // Each of these takes six characters in JSON.
    let text: String =
        ('\u{1}'..='\u{1f}').filter(|c| !"\u{8}\t\n\u{c}\r".contains(*c)).cycle().take(65_536).collect();
    let sent = world.send(text.clone()).await;
    world.project_one(sent.id).await;
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
