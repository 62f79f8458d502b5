//! How many commits and point reads the engine does in a second, next to SQLite by itself at the same durability: one
//! insert in one transaction, and the barest writer that shares a sync between callers (the prototype).
//!
//! Prints one JSON object a line. Every figure is the median of five runs; a run measures all of them one after the
//! other, so that they can be compared. An argument names the folder to work in; without one it is the system's.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should panic")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use waxwing_app::ports::{
    Appended, Claim, ClaimKey, Clock as _, Commit, Consistency, Guard, Journal, Key, Records, Row,
    StreamName, Write,
};
use waxwing_conformance::{SeededEntropy, TestClock};
use waxwing_domain::AccountId;
use waxwing_embedded::Engine;

const RUNS: usize = 5;
const MEASURED: Duration = Duration::from_secs(2);
const PAYLOAD_BYTES: usize = 400;
const READERS: usize = 16;
const ROWS: u64 = 10_000;

type Figures = BTreeMap<String, Vec<f64>>;

fn main() {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut figures = Figures::new();
    for _ in 0..RUNS {
        note(&mut figures, "raw_sqlite_inserts_per_s", raw_inserts(&folder));
        for writers in [1, 16, 256] {
            let per_s = prototype(&folder, writers);
            note(&mut figures, &format!("prototype_per_s_{writers:03}_writers"), per_s);
            let per_s = runtime.block_on(appends(&folder, writers));
            note(&mut figures, &format!("appends_per_s_{writers:03}_writers"), per_s);
        }
        let (rows, claims) = runtime.block_on(reads(&folder));
        note(&mut figures, "record_gets_per_s", rows);
        note(&mut figures, "claim_reads_per_s", claims);
    }
    let raw = median(&figures["raw_sqlite_inserts_per_s"]);
    for (name, runs) in &figures {
        let per_s = median(runs);
        let mut line = serde_json::json!({
            "figure": name,
            "per_s": per_s.round(),
            "times_raw": two_digits(per_s / raw),
            "runs": runs.iter().map(|run| run.round()).collect::<Vec<_>>(),
        });
        // Of each run by itself: the machine may have been another one in the next.
        if let Some(prototype) =
            figures.get(&name.replace("appends", "prototype")).filter(|_| name.starts_with("appends"))
        {
            let ratios: Vec<f64> = runs.iter().zip(prototype).map(|(ours, theirs)| ours / theirs).collect();
            line["times_prototype"] = two_digits(median(&ratios)).into();
        }
        println!("{line}");
    }
}

fn note(figures: &mut Figures, name: &str, per_s: f64) {
    figures.entry(name.to_owned()).or_default().push(per_s);
}

fn median(runs: &[f64]) -> f64 {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn two_digits(ratio: f64) -> f64 {
    (100.0 * ratio).round() / 100.0
}

/// One insert, one transaction, one sync: what a program without groups gets.
fn raw_inserts(folder: &Path) -> f64 {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let connection = Connection::open(folder.path().join("raw.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE raw (position INTEGER PRIMARY KEY, payload BLOB NOT NULL);",
        )
        .unwrap();
    let mut insert = connection.prepare("INSERT INTO raw (payload) VALUES (?1)").unwrap();
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < MEASURED {
        insert.execute([vec![7_u8; PAYLOAD_BYTES]]).unwrap();
        count += 1;
    }
    per_second(count, begun)
}

/// A commit with one claim to a stream that exists already, from each writer as fast as it is answered.
async fn appends(folder: &Path, writers: u64) -> f64 {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let engine = open(folder.path());
    let begun = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| tokio::spawn(append_until(engine.journal(), writer, begun + MEASURED)))
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.unwrap();
    }
    let per_s = per_second(count, begun);
    engine.close().await.unwrap();
    per_s
}

async fn append_until(journal: Arc<dyn Journal>, writer: u64, end: Instant) -> u64 {
    let stream = StreamName::new("message", writer);
    let mut version = 0;
    while Instant::now() < end {
        version += 1;
        let commit = Commit {
            account: AccountId::derived(1, &[b"bench"]),
            stream: stream.clone(),
            version,
            types: vec!["message.queued".to_owned()],
            actor: "key_bench".to_owned(),
            request_id: Some("req_bench".to_owned()),
            trace_id: None,
            at: TestClock::default().now(),
            key_id: "dk1".to_owned(),
            payload: vec![7; PAYLOAD_BYTES],
        };
        let key = ClaimKey(claim_key(writer, version));
        let claim = Claim::Take { key, value: b"msg_bench".to_vec(), expires_at: None };
        let appended = journal.append(commit, vec![claim]).await.unwrap();
        assert!(matches!(appended, Appended::Done(_)), "{appended:?}");
    }
    version
}

/// Spread over the whole range, as keyed hashes are.
fn claim_key(writer: u64, version: u64) -> String {
    let number = u128::from(version * 256 + writer);
    format!("{:032x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

/// A commit for the prototype, with who waits for it.
struct Request {
    stream: String,
    version: i64,
    claim: String,
    answer: mpsc::SyncSender<()>,
}

/// The barest writer with groups: it takes whatever waits, checks the head, writes the commit's row and one claim, syncs
/// once, answers. What the engine costs beyond this is what it adds: a feed, kinds, expiry, limits, an asynchronous port.
fn prototype(folder: &Path, writers: u64) -> f64 {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let connection = Connection::open(folder.path().join("prototype.db")).unwrap();
    connection
        .execute_batch(
            // The engine's own, so that what differs is what is written and who writes it.
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = FAST;
             PRAGMA cache_size = -32768; PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4096;
             CREATE TABLE commits (position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL,
                                   payload BLOB NOT NULL, UNIQUE (stream, version));
             CREATE TABLE claims (key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;",
        )
        .unwrap();
    let (queue, waiting) = mpsc::sync_channel(writers as usize);
    let committing = thread::spawn(move || commit_until_hung_up(&connection, &waiting));
    let begun = Instant::now();
    let end = begun + MEASURED;
    let callers: Vec<_> = (0..writers)
        .map(|writer| {
            let queue = queue.clone();
            thread::spawn(move || request_until(&queue, writer, end))
        })
        .collect();
    let count = callers.into_iter().map(|caller| caller.join().unwrap()).sum();
    let per_s = per_second(count, begun);
    drop(queue);
    committing.join().unwrap();
    per_s
}

fn commit_until_hung_up(connection: &Connection, waiting: &mpsc::Receiver<Request>) {
    let prepare = |sql| connection.prepare(sql).unwrap();
    let (mut begin, mut commit) = (prepare("BEGIN IMMEDIATE"), prepare("COMMIT"));
    let mut head = prepare("SELECT max(version) FROM commits WHERE stream = ?1");
    let mut insert = prepare("INSERT INTO commits (stream, version, payload) VALUES (?1, ?2, ?3)");
    let mut claim = prepare("INSERT INTO claims (key, value) VALUES (?1, ?2)");
    while let Ok(first) = waiting.recv() {
        let group: Vec<Request> = std::iter::once(first).chain(waiting.try_iter()).collect();
        begin.execute([]).unwrap();
        for Request { stream, version, claim: key, .. } in &group {
            let found: Option<i64> = head.query_row([stream], |row| row.get(0)).unwrap();
            assert_eq!(found.unwrap_or(0) + 1, *version);
            insert.execute((stream, version, [7_u8; PAYLOAD_BYTES])).unwrap();
            claim.execute((key, b"msg_bench")).unwrap();
        }
        commit.execute([]).unwrap();
        for request in group {
            request.answer.send(()).unwrap();
        }
    }
}

fn request_until(queue: &mpsc::SyncSender<Request>, writer: u64, end: Instant) -> u64 {
    let (answer, answered) = mpsc::sync_channel(1);
    let stream = format!("message/{writer}");
    let mut version = 0;
    while Instant::now() < end {
        version += 1;
        let claim = claim_key(writer, version);
        let (stream, number) = (stream.clone(), version as i64);
        queue.send(Request { stream, version: number, claim, answer: answer.clone() }).unwrap();
        answered.recv().unwrap();
    }
    version
}

/// Point reads of rows and of claims, in this order.
async fn reads(folder: &Path) -> (f64, f64) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let engine = open(folder.path());
    let records = engine.records();
    for chunk in 0..ROWS / 1000 {
        let rows = (chunk * 1000..(chunk + 1) * 1000).map(|number| Row {
            key: row_key(number),
            value: vec![7; PAYLOAD_BYTES],
            version: 1,
            indexes: vec![],
            expires_at: None,
        });
        records.write_each(rows.map(|row| Write::Put(row, Guard::Always)).collect()).await.unwrap();
    }
    let begun = Instant::now();
    let end = begun + MEASURED;
    let gets = (0..READERS).map(|reader| tokio::spawn(get_until(engine.records(), reader as u64, end)));
    let mut count = 0;
    for task in gets.collect::<Vec<_>>() {
        count += task.await.unwrap();
    }
    let rows = per_second(count, begun);
    let begun = Instant::now();
    let end = begun + MEASURED;
    let claims = (0..READERS).map(|_| tokio::spawn(claims_until(engine.journal(), end)));
    let mut count = 0;
    for task in claims.collect::<Vec<_>>() {
        count += task.await.unwrap();
    }
    let claims = per_second(count, begun);
    engine.close().await.unwrap();
    (rows, claims)
}

async fn get_until(records: Arc<dyn Records>, reader: u64, end: Instant) -> u64 {
    let mut count = 0;
    while Instant::now() < end {
        count += 1;
        let key = row_key((count * 7919 + reader * 613) % ROWS);
        assert!(records.get(&key, Consistency::Strong).await.unwrap().is_some());
    }
    count
}

async fn claims_until(journal: Arc<dyn Journal>, end: Instant) -> u64 {
    let key = ClaimKey("free".to_owned());
    let mut count = 0;
    while Instant::now() < end {
        count += 1;
        assert_eq!(journal.claim(&key).await.unwrap(), None);
    }
    count
}

fn row_key(number: u64) -> Key {
    Key::new("acc_bench#message", format!("{number:08}"))
}

fn open(folder: &Path) -> Engine {
    Engine::open(folder, Arc::new(TestClock::default()), Arc::new(SeededEntropy::new(1))).unwrap()
}

fn per_second(count: u64, begun: Instant) -> f64 {
    count as f64 / begun.elapsed().as_secs_f64()
}
