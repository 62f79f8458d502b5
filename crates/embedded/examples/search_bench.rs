//! How fast messages are found by their words, what the index takes, and how fast a page of a chat's history is, with a million
//! messages or as many as the first argument says. A second argument names the folder to work in; without one it is the
//! system's. Prints a table row for each line; takes some minutes and two gigabytes.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should panic")]

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use waxwing_app::{
    keys,
    ports::{Bounds, Document, Guard, IndexEntry, Query, Row, SearchQuery, Write},
    search::Terms,
};
use waxwing_conformance::{SeededEntropy, TestClock};
use waxwing_domain::{AccountId, Jid, MessageId, SessionId};
use waxwing_embedded::Engine;

const MESSAGES: u64 = 1_000_000;
/// Different words. How often one is said goes with one over its rank, as in natural texts.
const VOCABULARY: f64 = 50_000.0;
const WORDS: u64 = 8;
/// A rare word is in one of so many messages.
const RARE_EVERY: u64 = 10_000;
const CHATS: u64 = 1_000;
const AT_ONCE: u64 = 1_000;
const MEASURED: usize = 1_000;
const PAGE: usize = 50;
const VALUE_BYTES: usize = 500;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let messages = arguments.next().map_or(MESSAGES, |count| count.parse().unwrap());
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        searches(&folder, messages).await;
        history(&folder, messages).await;
    });
}

fn row(what: &str, value: String, remark: &str) {
    println!("| {what} | {value} | {remark} |");
}

fn open(folder: &Path) -> Engine {
    Engine::open(folder, Arc::new(TestClock::default()), Arc::new(SeededEntropy::new(1))).unwrap()
}

fn account() -> AccountId {
    AccountId::derived(1, &[b"bench"])
}

fn session() -> SessionId {
    SessionId::derived(1, &[b"bench"])
}

fn chat(number: u64) -> Jid {
    Jid::parse(&format!("1555{:07}@s.whatsapp.net", number % CHATS)).unwrap()
}

fn message(number: u64) -> MessageId {
    MessageId::derived(1_767_225_600_000 + number * 1_000, &[&number.to_be_bytes()])
}

/// A number from 0 up to 1, the same for the same seed.
fn chance(seed: u64) -> f64 {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn text(number: u64) -> String {
    let mut text = String::new();
    for word in 0..WORDS {
        let rank = (chance(number * WORDS + word) * VOCABULARY.ln()).exp() as u64;
        write!(text, "word{rank} ").unwrap();
    }
    if number.is_multiple_of(RARE_EVERY) {
        text += "rare";
    }
    text
}

fn document(number: u64) -> Document {
    let committed_at = Timestamp::from_second(1_767_225_600 + number as i64).unwrap();
    Document {
        message: message(number),
        session: session(),
        chat: chat(number),
        committed_at,
        version: 1,
        text: text(number),
    }
}

async fn searches(folder: &Path, messages: u64) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let (engine, begun) = (open(folder.path()), Instant::now());
    for first in (0..messages).step_by(AT_ONCE as usize) {
        let documents = (first..messages.min(first + AT_ONCE)).map(document).collect();
        engine.search().index(account(), documents).await.unwrap();
    }
    let per_s = messages as f64 / begun.elapsed().as_secs_f64();
    engine.close().await.unwrap();
    let size = fs::metadata(folder.path().join("waxwing.db")).unwrap().len();
    row(
        "search: messages indexed/s",
        format!("{per_s:.0}"),
        &format!("{messages} messages of {WORDS} words, by one caller"),
    );
    row(
        "search: index, bytes per message",
        format!("{:.0}", size as f64 / messages as f64),
        "the whole file",
    );
    let engine = open(folder.path());
    let in_chat = vec![chat(1)];
    for (what, query, chats) in [
        ("one rare word", "rare", vec![]),
        ("two common words", "word1 word2", vec![]),
        ("two common words in one chat", "word1 word2", in_chat),
        ("a common and a rare word", "word1 rare", vec![]),
        ("a beginning of some hundred words", "word12*", vec![]),
        ("a phrase of two common words", "\"word1 word2\"", vec![]),
    ] {
        let query = SearchQuery {
            terms: Terms::parse(query).unwrap(),
            session: None,
            chats,
            after: None,
            before: None,
            descending: true,
            limit: PAGE,
            cursor: None,
        };
        let (mut times, mut found) = (Vec::new(), 0);
        for _ in 0..MEASURED {
            let begun = Instant::now();
            found = engine.search().search(account(), &query).await.unwrap().found.len();
            times.push(begun.elapsed());
        }
        report(
            &format!("search: {what}, p50 and p99"),
            times,
            &format!("{found} found, the newest {PAGE} at most"),
        );
    }
    engine.close().await.unwrap();
}

async fn history(folder: &Path, messages: u64) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let engine = open(folder.path());
    let position = |number: u64| format!("{:015}/{}/a", 1_767_225_600_000 + number * 1_000, message(number));
    for first in (0..messages).step_by(AT_ONCE as usize) {
        let writes = (first..messages.min(first + AT_ONCE)).map(|number| {
            let by_chat = keys::messages_of_chat(account(), session(), &chat(number));
            let by_session = keys::messages_of_session(account(), session());
            let indexes = [(keys::BY_SESSION, by_session), (keys::BY_CHAT, by_chat)]
                .map(|(index, partition)| IndexEntry { index, partition, sort: position(number) });
            let key = keys::message(account(), message(number));
            let row = Row {
                key,
                value: vec![b'x'; VALUE_BYTES],
                version: 1,
                indexes: indexes.into(),
                expires_at: None,
            };
            Write::Put(row, Guard::Absent)
        });
        engine.records().write_each(writes.collect()).await.unwrap();
    }
    let mut times = Vec::new();
    for number in 0..MEASURED as u64 {
        let end = (chance(number) * messages as f64) as u64;
        let query = Query {
            index: keys::BY_CHAT,
            partition: keys::messages_of_chat(account(), session(), &chat(number)),
            bounds: Bounds { after: None, before: Some(position(end)) },
            descending: true,
            limit: PAGE,
        };
        let begun = Instant::now();
        engine.records().query(query).await.unwrap();
        times.push(begun.elapsed());
    }
    report(
        "history: a page of a chat, p50 and p99",
        times,
        &format!("{PAGE} of {messages} messages in {CHATS} chats, from anywhere"),
    );
    engine.close().await.unwrap();
}

fn report(what: &str, mut times: Vec<Duration>, remark: &str) {
    times.sort();
    let ms = |place: usize| times[place].as_secs_f64() * 1_000.0;
    row(what, format!("{:.2} ms, {:.2} ms", ms(times.len() / 2), ms(times.len() * 99 / 100)), remark);
}
