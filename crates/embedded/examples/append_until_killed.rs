//! Appends to a folder's journal until it is killed, and says what was acknowledged: the child of the crash test.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::{path::PathBuf, sync::Arc};

use waxwing_app::ports::{Appended, Claim, ClaimKey, Clock as _, Commit, Guard, Key, Row, StreamName, Write};
use waxwing_conformance::{SeededEntropy, TestClock};
use waxwing_domain::AccountId;
use waxwing_embedded::Engine;

const WRITERS: u64 = 8;

fn main() {
    let folder = std::env::args().nth(1).map(PathBuf::from).expect("the folder as an argument");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        // Each child draws other bytes: a repeated nonce would be a fault of the test.
        let entropy = Arc::new(SeededEntropy::new(u64::from(std::process::id()) << 32));
        let engine = Arc::new(Engine::open(&folder, Arc::new(TestClock::default()), entropy).unwrap());
        let writers = (0..WRITERS).map(|writer| tokio::spawn(append_for_ever(Arc::clone(&engine), writer)));
        let consumer = tokio::spawn(consume_for_ever(Arc::clone(&engine)));
        futures::future::join_all(writers.chain([consumer])).await;
    });
}

fn account() -> AccountId {
    AccountId::derived(1, &[b"embedded"])
}

async fn append_for_ever(engine: Arc<Engine>, writer: u64) {
    let (journal, stream) = (engine.journal(), StreamName(format!("crash/{writer}")));
    let mut version = journal.read(account(), &stream).await.unwrap().len() as u64;
    loop {
        version += 1;
        let commit = Commit {
            account: account(),
            stream: stream.clone(),
            version,
            types: vec!["test.happened".to_owned()],
            actor: "system".to_owned(),
            request_id: None,
            trace_id: None,
            at: TestClock::default().now(),
            key_id: "dk1".to_owned(),
            payload: vec![0; 300],
        };
        let key = ClaimKey(format!("{writer}-{version}"));
        let claim = Claim::Take { key, value: version.to_be_bytes().to_vec(), expires_at: None };
        let appended = journal.append(commit, vec![claim]).await.unwrap();
        assert!(matches!(appended, Appended::Done(_)), "{appended:?}");
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
