//! A process that is killed at any instant loses nothing that it was answered.
//!
//! The child is `examples/append_until_killed.rs`: it appends and says what was acknowledged.

use std::{
    collections::{BTreeMap, HashSet},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

use waxwing_app::ports::{Appended, ClaimKey, Order, StreamName};
use waxwing_conformance::TestClock;
use waxwing_embedded::Engine;

use crate::{account, commit, entropy};

const WRITERS: u64 = 8;
const KILLS: u64 = 6;

fn open(folder: &Path) -> Engine {
    Engine::open(folder, Arc::new(TestClock::default()), entropy()).unwrap()
}

fn stream(writer: u64) -> StreamName {
    StreamName(format!("crash/{writer}"))
}

/// What the child said.
#[derive(Default)]
struct Acknowledged {
    heads: BTreeMap<u64, u64>,
    order: Option<Order>,
}

/// Runs the child and kills it after it said `lines` lines and some more time.
fn run_and_kill(folder: &Path, lines: usize, later: Duration, acknowledged: &mut Acknowledged) {
    // Built by `cargo test` next to this test.
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples/append_until_killed");
    let mut child = Command::new(program).arg(folder).stdout(Stdio::piped()).spawn().unwrap();
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
