//! What the engine does by itself.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rusqlite::Connection;
use waxwing_app::ports::{
    Claim, ClaimKey, Clock as _, Guard, IndexEntry, Key, NewJob, PortError, Queue, Row, Write,
};

use crate::{Fixture, commit, done};

fn row(number: usize, fixture: &Fixture) -> Row {
    Row {
        key: Key::new("short-lived", format!("{number:05}")),
        value: vec![0; 10],
        version: 1,
        indexes: vec![IndexEntry { index: 1, partition: "index".to_owned(), sort: format!("{number:05}") }],
        expires_at: Some(fixture.clock.ahead(Duration::from_secs(60))),
    }
}

fn count(fixture: &Fixture, table: &str) -> i64 {
    let database = Connection::open(fixture.folder.path().join("waxwing.db")).unwrap();
    database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn expired_rows_and_claims_give_their_space_back() {
    let fixture = Fixture::new();
    let (journal, records) = (fixture.engine.journal(), fixture.engine.records());
    let writes = (0..900).map(|number| Write::Put(row(number, &fixture), Guard::Always)).collect();
    records.write_each(writes).await.unwrap();
    let claims = (0..900).map(|number| Claim::Take {
        key: ClaimKey(format!("claim-{number}")),
        value: vec![],
        expires_at: Some(fixture.clock.ahead(Duration::from_secs(60))),
    });
    done(journal.append(commit("sample/1", 1, vec![]), claims.collect()).await.unwrap());
    fixture.clock.advance(Duration::from_secs(120));
    // Two chunks of 500, one after each write. A third write comes after the second sweep.
    for version in 2..=4 {
        done(journal.append(commit("sample/1", version, vec![]), vec![]).await.unwrap());
    }
    for table in ["records", "record_indexes", "claims"] {
        assert_eq!(count(&fixture, table), 0, "{table} was swept");
    }
    assert_eq!(count(&fixture, "commits"), 4);
}

/// Holds a snapshot at every moment until told to stop, each for a few milliseconds.
fn read_without_a_pause(database: &Path, stop: &AtomicBool) {
    let readers = [(); 2].map(|()| Connection::open(database).unwrap());
    for reader in readers.iter().cycle() {
        reader.execute_batch("BEGIN; SELECT count(*) FROM checkpoints").unwrap();
        std::thread::sleep(Duration::from_millis(3));
        for other in readers.iter().filter(|other| !std::ptr::eq(*other, reader) && !other.is_autocommit()) {
            other.execute_batch("COMMIT").unwrap();
        }
        if stop.load(Ordering::SeqCst) {
            return;
        }
    }
}

#[tokio::test]
async fn reads_without_a_pause_do_not_make_the_log_grow_for_ever() {
    const MEBIBYTE: usize = 1 << 20;
    let fixture = Fixture::new();
    let journal = fixture.engine.journal();
    let database = fixture.folder.path().join("waxwing.db");
    let stop = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || read_without_a_pause(&database, &stop)
    });
    for number in 0..300 {
        let commit = commit(&format!("sample/{number}"), 1, vec![7; MEBIBYTE]);
        done(journal.append(commit, vec![]).await.unwrap());
    }
    let log = fs::metadata(fixture.folder.path().join("waxwing.db-wal")).unwrap();
    stop.store(true, Ordering::SeqCst);
    reader.join().unwrap();
    let mebibytes = log.len() / MEBIBYTE as u64;
    assert!(mebibytes < 200, "after 300 MiB of commits the log has {mebibytes} MiB");
}

#[tokio::test]
async fn limits_of_the_ports_are_refused_for_good() {
    let fixture = Fixture::new();
    let records = fixture.engine.records();
    let too_large = Row { value: vec![0; (512 << 10) + 1], ..row(1, &fixture) };
    let no_index = Row {
        indexes: vec![IndexEntry { index: 4, ..row(1, &fixture).indexes[0].clone() }],
        ..row(1, &fixture)
    };
    let twice =
        vec![Write::Put(row(1, &fixture), Guard::Always), Write::Check(row(1, &fixture).key, Guard::Absent)];
    let refusals = [
        records.write_each(vec![Write::Put(too_large.clone(), Guard::Always)]).await.map(|_| ()),
        records.write_all(vec![Write::Put(too_large, Guard::Always)]).await,
        records.write_all(vec![Write::Put(no_index, Guard::Always)]).await,
        records.write_all(twice).await,
        records.write_each(vec![Write::Delete(row(1, &fixture).key, Guard::Always); 1001]).await.map(|_| ()),
        records.write_each(vec![Write::Check(row(1, &fixture).key, Guard::Always)]).await.map(|_| ()),
    ];
    for refused in refusals {
        assert!(matches!(refused, Err(PortError::Corrupt(_))), "{refused:?}");
    }
    assert_eq!(count(&fixture, "records"), 0);
}

#[tokio::test]
async fn an_acknowledgement_of_the_future_is_refused() {
    let fixture = Fixture::new();
    let order = done(fixture.engine.journal().append(commit("sample/1", 1, vec![]), vec![]).await.unwrap());
    let feed = fixture.engine.feed();
    for future in ["00000000000000000002", "", "never"] {
        let refused = feed.acknowledge("consumer", &waxwing_app::ports::Order(future.to_owned())).await;
        assert!(matches!(refused, Err(PortError::Corrupt(_))), "{refused:?}");
    }
    feed.acknowledge("consumer", &order).await.unwrap();
    let fixture = fixture.reopened().await;
    assert_eq!(
        fixture.engine.feed().next("consumer", &[], 10).await.unwrap(),
        [],
        "a checkpoint survives a restart"
    );
}

#[tokio::test]
async fn a_lease_ends_with_the_process_that_held_it() {
    let fixture = Fixture::new();
    let queue = Queue("leases");
    let job = NewJob { id: "job".into(), payload: "{}".into(), due_at: fixture.clock.now() };
    fixture.engine.work().push(queue, vec![job]).await.unwrap();
    let hour = std::time::Duration::from_secs(3_600);
    let before = fixture.engine.work().lease(queue, 1, hour).await.unwrap();
    assert!(fixture.engine.work().lease(queue, 1, hour).await.unwrap().is_empty());
    let fixture = fixture.reopened().await;
    let after = fixture.engine.work().lease(queue, 1, hour).await.unwrap();
    assert_eq!((before[0].attempts, after[0].attempts), (1, 2));
    assert!(fixture.engine.work().complete(queue, &before[0]).await.is_err(), "the old lease is void");
}
