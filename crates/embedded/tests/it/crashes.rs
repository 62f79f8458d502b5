//! A process that is killed at any instant loses nothing that it was answered.
//!
//! The test runs its own program again as a child, which appends and says what was acknowledged, and kills it.

use std::{
    collections::{BTreeMap, HashSet},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

use waxwing_app::ports::{Appended, ClaimKey, Guard, Key, Order, Row, StreamName, Write};
use waxwing_conformance::TestClock;
use waxwing_embedded::Engine;

use crate::{account, commit, done, entropy, take};

const FOLDER_VARIABLE: &str = "WAXWING_CRASH_TEST_FOLDER";
const WRITERS: u64 = 8;
const KILLS: u64 = 6;

fn open(folder: &Path) -> Engine {
    Engine::open(folder, Arc::new(TestClock::default()), entropy()).unwrap()
}

fn stream(writer: u64) -> StreamName {
    StreamName(format!("crash/{writer}"))
}

/// Does nothing unless [`a_killed_process_loses_nothing_acknowledged`] runs it: it appends until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of another test"]
async fn child_that_appends_until_it_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "the only way to tell a test program something")]
    let Ok(folder) = std::env::var(FOLDER_VARIABLE) else { return };
    let engine = Arc::new(open(&PathBuf::from(folder)));
    let writers = (0..WRITERS).map(|writer| tokio::spawn(append_for_ever(Arc::clone(&engine), writer)));
    let consumer = tokio::spawn(consume_for_ever(Arc::clone(&engine)));
    futures::future::join_all(writers.chain([consumer])).await;
}

async fn append_for_ever(engine: Arc<Engine>, writer: u64) {
    let journal = engine.journal();
    let mut version = journal.read(account(), &stream(writer)).await.unwrap().len() as u64;
    loop {
        version += 1;
        let claims = vec![take(format!("{writer}-{version}"), &version.to_be_bytes())];
        done(journal.append(commit(&stream(writer).0, version, vec![0; 300]), claims).await.unwrap());
        println!("appended {writer} {version}");
    }
}

/// Writes a row for each commit before it acknowledges, as delivery does.
async fn consume_for_ever(engine: Arc<Engine>) {
    let (feed, records) = (engine.feed(), engine.records());
    loop {
        let items = feed.next("crash", &[], 20).await.unwrap();
        let Some(last) = items.last() else {
            feed.changed("crash").await;
            continue;
        };
        let rows = items.iter().map(|item| Row {
            key: Key::new("crash", item.order.0.clone()),
            value: vec![],
            version: 1,
            indexes: vec![],
            expires_at: None,
        });
        records.write_each(rows.map(|row| Write::Put(row, Guard::Absent)).collect()).await.unwrap();
        feed.acknowledge("crash", &last.order).await.unwrap();
        println!("acknowledged {}", last.order.0);
    }
}

/// What the child said.
#[derive(Default)]
struct Acknowledged {
    heads: BTreeMap<u64, u64>,
    order: Option<Order>,
}

/// Runs the child and kills it after it said `lines` lines and some more time.
fn run_and_kill(folder: &Path, lines: usize, later: Duration, acknowledged: &mut Acknowledged) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::child_that_appends_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FOLDER_VARIABLE, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (tell, told) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        // The last line may be half a line: the pipe ends where the process was killed.
        output.lines().map_while(Result::ok).for_each(|line| tell.send(line).unwrap_or_default());
    });
    let mut said = Vec::new();
    while said.len() < lines {
        said.push(told.recv_timeout(Duration::from_secs(60)).expect("the child goes on appending"));
    }
    std::thread::sleep(later);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    said.extend(told.try_iter());
    for line in &said {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["appended", writer, version] => {
                let (Ok(writer), Ok(version)) = (writer.parse(), version.parse::<u64>()) else { continue };
                let head = acknowledged.heads.entry(writer).or_default();
                *head = version.max(*head);
            },
            ["acknowledged", order] if order.len() == 20 => {
                acknowledged.order = Some(Order(order.to_owned()))
            },
            _ => {},
        }
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::default();
    for kill in 0..KILLS {
        // At different instants, also while the child is still starting.
        run_and_kill(
            folder.path(),
            150 * kill as usize,
            Duration::from_micros(1_700 * kill),
            &mut acknowledged,
        );
        let engine = open(folder.path());
        check(&engine, &acknowledged).await;
        engine.close().await.unwrap();
    }
    assert!(
        acknowledged.heads.len() as u64 == WRITERS && acknowledged.order.is_some(),
        "the child did something"
    );
}

async fn check(engine: &Engine, acknowledged: &Acknowledged) {
    let journal = engine.journal();
    let mut stored = 0;
    for writer in 0..WRITERS {
        let commits = journal.read(account(), &stream(writer)).await.unwrap();
        let head = commits.len() as u64;
        stored += commits.len();
        assert!(commits.iter().map(|commit| commit.version).eq(1..=head), "a stream has no gaps");
        let promised = acknowledged.heads.get(&writer).copied().unwrap_or(0);
        assert!(head >= promised, "stream {writer} ends at {head}, and {promised} was acknowledged");
        for version in [1, head / 2, head, head + 1, head + 2] {
            let claim = journal.claim(&ClaimKey(format!("{writer}-{version}"))).await.unwrap();
            let expected = (1..=head).contains(&version).then(|| version.to_be_bytes().to_vec());
            assert_eq!(claim, expected, "a claim is there exactly with its commit");
        }
        let again = journal.append(commit(&stream(writer).0, head, vec![]), vec![]).await.unwrap();
        assert_eq!(again, Appended::HeadMoved);
    }
    check_consumer(engine, acknowledged, stored).await;
}

async fn check_consumer(engine: &Engine, acknowledged: &Acknowledged, stored: usize) {
    let mut all = Vec::new();
    let reader = format!("reader-{stored}");
    loop {
        let items = engine.feed().next(&reader, &[], 1000).await.unwrap();
        let Some(last) = items.last() else { break };
        engine.feed().acknowledge(&reader, &last.order).await.unwrap();
        all.extend(items.into_iter().map(|item| item.order));
    }
    assert_eq!(all.len(), stored, "the feed has every commit once");
    let next = engine.feed().next("crash", &[], 1).await.unwrap();
    let handled =
        next.first().map_or(&all[..], |next| &all[..all.partition_point(|order| *order < next.order)]);
    assert!(handled.last() >= acknowledged.order.as_ref(), "an acknowledged checkpoint is not forgotten");
    let mut rows = HashSet::new();
    let mut after = None;
    loop {
        let bounds = waxwing_app::ports::Bounds { after: after.take(), before: None };
        let query = waxwing_app::ports::Query {
            index: 0,
            partition: "crash".to_owned(),
            bounds,
            descending: false,
            limit: 1000,
        };
        let page = engine.records().query(query).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.sort.clone());
        rows.extend(page.into_iter().map(|row| row.key.sort));
    }
    let is_handled = handled.iter().all(|order| rows.contains(&order.0));
    assert!(is_handled, "the checkpoint is not ahead of what was written before it");
}
