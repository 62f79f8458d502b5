//! Texts are found by their words: from the journal to a page, on the engine's own index and on the one made of rows.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::future::join_all;
use waxwing_app::{
    commands::SessionWish,
    execute::Cause,
    feed::Consumer as _,
    keys,
    ports::{Clock as _, Document, Found, PortError, Row, Search, SearchQuery},
    projections::{MessageProjection, SearchProjection, SessionProjection},
    queries::{MessageFilter, MessagePage, found_messages},
    search::{INDEXED_WORDS_MAX, PREFIX_WORDS_MAX, Terms, WordIndex},
};
use waxwing_domain::{Jid, MessageId, SessionId, message::MessageStatus};

use crate::world::{Pokes, World, account};

const FRIEND: &str = "15550002222@s.whatsapp.net";
const OTHER: &str = "15550003333@s.whatsapp.net";

fn indexes(world: &World) -> [Arc<dyn Search>; 2] {
    [world.engine.search(), Arc::new(WordIndex { records: world.engine.records() })]
}

async fn project(world: &World, search: &Arc<dyn Search>) {
    let records = world.engine.records();
    world.follow(&MessageProjection { ports: world.ports.clone(), records }).await;
    // The whole feed each time: a repetition has no effect.
    let projection = SearchProjection { ports: world.ports.clone(), search: search.clone() };
    for batch in world.items(&projection).await.chunks(3) {
        projection.handle(batch).await.unwrap();
    }
}

fn words(query: &str) -> MessageFilter {
    MessageFilter { text: Some(Terms::parse(query).unwrap()), ..MessageFilter::default() }
}

async fn page(
    world: &World,
    search: &Arc<dyn Search>,
    filter: &MessageFilter,
    cursor: Option<&str>,
) -> MessagePage {
    let (records, cursor) = (world.engine.records(), cursor.map(|cursor| Found::parse(cursor).unwrap()));
    found_messages(&**search, &*records, account(), filter, &|_| true, cursor, 4).await.unwrap()
}

async fn all(world: &World, search: &Arc<dyn Search>, filter: &MessageFilter) -> Vec<MessageId> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = page(world, search, filter, cursor.as_deref()).await;
        assert!(page.messages.len() <= 4);
        found.extend(page.messages.iter().map(|message| message.id));
        assert!(found.len() < 1_000, "the pages do not end");
        match page.next {
            Some(next) => cursor = Some(next),
            None => return found,
        }
    }
}

#[tokio::test]
async fn texts_are_found_by_words_with_every_filter_and_in_both_orders() {
    let world = World::new();
    let (shop, office) = (world.session("shop").await, world.session("office").await);
    let (mut to_friend, mut of_office, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..30 {
        world.clock.advance(Duration::from_secs(1));
        let session = if number % 2 == 0 { shop } else { office };
        let chat = if number % 3 == 0 { FRIEND } else { OTHER };
        let id = world.send(session, chat, &format!("Parcel number {number} is on its way")).await.id;
        sent.push(id);
        if number % 3 == 0 {
            to_friend.push(id);
        }
        if session == office {
            of_office.push(id);
        }
    }
    let sessions = SessionProjection {
        ports: world.ports.clone(),
        records: world.engine.records(),
        gateway: Arc::new(Pokes::default()),
    };
    world.follow(&sessions).await;
    for search in indexes(&world) {
        project(&world, &search).await;
        project(&world, &search).await;
        assert_eq!(all(&world, &search, &words("parcel WAY")).await, sent);
        let mut backwards = all(&world, &search, &MessageFilter { descending: true, ..words("parc*") }).await;
        backwards.reverse();
        assert_eq!(backwards, sent);
        assert_eq!(all(&world, &search, &words("\"number 17\"")).await, [sent[17]]);
        let jid = Some(Jid::parse(FRIEND).unwrap());
        assert_eq!(all(&world, &search, &MessageFilter { chat: jid, ..words("parcel") }).await, to_friend);
        let filter = MessageFilter { session: Some(office), ..words("parcel") };
        assert_eq!(all(&world, &search, &filter).await, of_office);
        let filter = MessageFilter { status: Some(MessageStatus::Queued), ..words("parcel") };
        assert_eq!(all(&world, &search, &filter).await, sent);
        let filter = MessageFilter { status: Some(MessageStatus::Read), ..words("parcel") };
        assert!(all(&world, &search, &filter).await.is_empty());
        assert!(all(&world, &search, &words("!?")).await.is_empty());

        // Who may see one session only finds its messages only.
        let sees = |session: SessionId| session == office;
        let records = world.engine.records();
        let page = found_messages(&*search, &*records, account(), &words("parcel"), &sees, None, 100).await;
        let seen: Vec<MessageId> = page.unwrap().messages.iter().map(|message| message.id).collect();
        assert_eq!(seen, of_office);
    }
    // What was said in a session that is deleted is in no list, and is not found.
    world.commands.wish_session(account(), office, SessionWish::Delete, &Cause::system()).await.unwrap();
    world.follow(&sessions).await;
    let of_shop: Vec<MessageId> = sent.into_iter().filter(|id| !of_office.contains(id)).collect();
    for search in indexes(&world) {
        assert_eq!(all(&world, &search, &words("parcel")).await, of_shop);
    }
}

fn document(message: MessageId, session: SessionId, world: &World, version: u64, text: &str) -> Document {
    let chat = Jid::parse(FRIEND).unwrap();
    Document { message, session, chat, committed_at: world.clock.now(), version, text: text.to_owned() }
}

async fn rows_of_words(world: &World, words: &str) -> BTreeSet<String> {
    let beginnings: BTreeSet<String> =
        words.split(' ').map(|word| word.chars().take(2).collect::<String>()).collect();
    let mut found = BTreeSet::new();
    for beginning in beginnings {
        let rows: Vec<Row> = world.rows(keys::search_words(account(), &beginning)).await;
        found.extend(
            rows.iter().filter_map(|row| row.key.sort.split_once('/')).map(|(word, _)| word.to_owned()),
        );
    }
    found
}

fn query(text: &str) -> SearchQuery {
    SearchQuery {
        terms: Terms::parse(text).unwrap(),
        session: None,
        chats: Vec::new(),
        after: None,
        before: None,
        descending: false,
        limit: 100,
        cursor: None,
    }
}

#[tokio::test]
async fn rows_of_words_are_bounded_and_none_is_left_behind() {
    let world = World::new();
    let session = world.session("shop").await;
    let index = WordIndex { records: world.engine.records() };
    let message = world.send(session, FRIEND, "x").await.id;
    let text: Vec<String> = (0..2 * INDEXED_WORDS_MAX).map(|number| format!("word{number}")).collect();
    index.index(account(), vec![document(message, session, &world, 1, &text.join(" "))]).await.unwrap();
    assert_eq!(rows_of_words(&world, "word").await.len(), INDEXED_WORDS_MAX);
    let two = document(message, session, &world, 2, "alpha beta");
    index.index(account(), vec![two]).await.unwrap();
    let rows = rows_of_words(&world, "word alpha beta gamma").await;
    assert_eq!(rows, BTreeSet::from(["alpha".to_owned(), "beta".to_owned()]));

    // Versions that are indexed at the same time: the newest stays, whole and alone.
    for round in 0..20 {
        let versions = (3..7).map(|version| {
            let text = format!("alpha v{version} round{round}");
            let document = document(message, session, &world, round * 10 + version, &text);
            index.index(account(), vec![document])
        });
        for indexed in join_all(versions).await {
            indexed.unwrap();
        }
        let rows = rows_of_words(&world, "alpha beta v3 v4 v5 v6 round").await;
        let expected = ["alpha".to_owned(), "v6".to_owned(), format!("round{round}")];
        assert_eq!(rows, BTreeSet::from(expected));
    }
}

#[tokio::test]
async fn a_search_in_rows_reads_so_much_for_a_page_and_goes_on() {
    let world = World::new();
    let session = world.session("shop").await;
    let index = WordIndex { records: world.engine.records() };
    let message = |number: u64| MessageId::derived(1, &[&number.to_be_bytes()]);
    // Two words that are everywhere, and hardly ever together.
    let text = |number: u64| match number % 1_000 {
        999 => "left right",
        _ if number.is_multiple_of(2) => "left",
        _ => "right",
    };
    for numbers in (0..6_000).collect::<Vec<u64>>().chunks(500) {
        let documents = numbers.iter().map(|number| {
            world.clock.advance(Duration::from_millis(1));
            document(message(*number), session, &world, 1, text(*number))
        });
        index.index(account(), documents.collect()).await.unwrap();
    }
    let expected: Vec<MessageId> = (0..6).map(|number| message(number * 1_000 + 999)).collect();
    let mut query = query("left right");
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = index.search(account(), &query).await.unwrap();
        found.extend(page.found.iter().map(|found| found.message));
        pages += 1;
        assert!(pages < 100, "the pages do not end");
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(found, expected);
    assert!(pages > 1, "6,000 rows were read for one page");

    // A beginning stands for so many words of the alphabet.
    let mut many = Vec::new();
    for number in 0..2 * PREFIX_WORDS_MAX as u64 {
        many.push(document(message(10_000 + number), session, &world, 1, &format!("begin{number:03}")));
    }
    index.index(account(), many).await.unwrap();
    let begun = index.search(account(), &self::query("begin*")).await.unwrap().found;
    let begun: BTreeSet<MessageId> = begun.iter().map(|found| found.message).collect();
    let first = (0..PREFIX_WORDS_MAX as u64).map(|number| message(10_000 + number));
    assert_eq!(begun, first.collect());
}

#[tokio::test]
async fn words_of_an_account_that_is_erased_are_gone() {
    let world = World::new();
    let session = world.session("shop").await;
    let id = world.send(session, FRIEND, "unforgettable words").await.id;
    for search in indexes(&world) {
        project(&world, &search).await;
        assert_eq!(all(&world, &search, &words("unforgettable")).await, [id]);
    }
    let (keys, erasure) = (world.engine.keys(), world.engine.erasure());
    keys.destroy(account()).await.unwrap();
    let mut after = None;
    loop {
        let erased = erasure.erase_rows(account(), after.as_deref()).await.unwrap();
        match erased.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    for search in indexes(&world) {
        let found = search.search(account(), &query("unforgettable")).await.unwrap();
        assert!(found.found.is_empty());
        // The feed brings the commits once more: nobody can read them.
        let projection = SearchProjection { ports: world.ports.clone(), search: search.clone() };
        let handled = projection.handle(&world.items(&projection).await).await;
        assert!(matches!(handled, Err(PortError::Erased(_))), "{handled:?}");
    }
}
