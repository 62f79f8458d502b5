//! What a data folder may look like, and what the refusals say.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use rusqlite::Connection;
use waxwing_app::ports::PortError;
use waxwing_conformance::TestClock;
use waxwing_embedded::{Engine, OpenError};

use crate::{Fixture, account, commit, done, entropy};

fn open(folder: &Path) -> Result<Engine, OpenError> {
    Engine::open(folder, Arc::new(TestClock::default()), entropy())
}

/// The refusal, whose text has to name the file.
fn refusal(folder: &Path, file: &str) -> OpenError {
    let Err(error) = open(folder) else { panic!("the folder should have been refused") };
    assert!(error.to_string().contains(file), "the text should name {file}: {error}");
    error
}

/// A folder that was used and closed.
async fn used() -> tempfile::TempDir {
    let fixture = Fixture::new();
    done(fixture.engine.journal().append(commit("sample/1", 1, vec![0; 50_000]), vec![]).await.unwrap());
    fixture.engine.secrets().seal(account(), b"", b"text").await.unwrap();
    fixture.engine.close().await.unwrap();
    fixture.folder
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let fixture = Fixture::new();
    let written = commit("sample/1", 1, b"payload".to_vec());
    let first = done(fixture.engine.journal().append(written.clone(), vec![]).await.unwrap());
    let fixture = fixture.reopened().await;
    assert_eq!(fixture.engine.journal().read(account(), &written.stream).await.unwrap(), [written]);
    let second = fixture.engine.journal().append(commit("sample/1", 2, vec![]), vec![]).await.unwrap();
    assert!(done(second) > first);
}

#[tokio::test]
async fn files_are_for_their_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("made/by/the/engine");
    let engine = open(&folder).unwrap();
    done(engine.journal().append(commit("sample/1", 1, vec![]), vec![]).await.unwrap());
    for file in ["", "waxwing.db", "waxwing.db-wal", "master.key"] {
        let mode = fs::metadata(folder.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file:?} has mode {mode:o}");
    }
}

#[tokio::test]
async fn a_folder_in_use_is_refused_with_its_holder() {
    let fixture = Fixture::new();
    let text = refusal(fixture.folder.path(), fixture.folder.path().to_str().unwrap()).to_string();
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    fixture.engine.announce("127.0.0.1:8080").unwrap();
    let error = refusal(fixture.folder.path(), fixture.folder.path().to_str().unwrap());
    let OpenError::Locked { holder, .. } = error else { panic!("{error:?}") };
    assert_eq!(holder.address.as_deref(), Some("127.0.0.1:8080"));
    fixture.engine.close().await.unwrap();
    open(fixture.folder.path()).unwrap();
}

#[tokio::test]
async fn a_closed_engine_refuses_and_says_so() {
    let fixture = Fixture::new();
    let (journal, records) = (fixture.engine.journal(), fixture.engine.records());
    fixture.engine.close().await.unwrap();
    fixture.engine.close().await.unwrap();
    let append = journal.append(commit("sample/1", 1, vec![]), vec![]).await;
    assert!(matches!(append, Err(PortError::Unavailable(_))), "{append:?}");
    let write = records.write_each(vec![]).await;
    assert!(matches!(write, Err(PortError::Unavailable(_))), "{write:?}");
    let read = journal.read(account(), &commit("sample/1", 1, vec![]).stream).await;
    assert!(matches!(read, Err(PortError::Unavailable(_))), "{read:?}");
}

#[tokio::test]
async fn close_finishes_what_waits() {
    let fixture = Fixture::new();
    let journal = fixture.engine.journal();
    let appends =
        (0..200).map(|number| journal.append(commit(&format!("sample/{number}"), 1, vec![]), vec![]));
    let (answers, closed) = futures::join!(futures::future::join_all(appends), fixture.engine.close());
    closed.unwrap();
    let engine = open(fixture.folder.path()).unwrap();
    let stored = engine.feed().next("consumer", &[], 1000).await.unwrap().len();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), stored);
    assert_eq!(stored, 200, "what was queued before `close` is finished");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = used().await;
    fs::write(folder.path().join("waxwing.db"), b"these are notes, and no database").unwrap();
    assert!(matches!(refusal(folder.path(), "waxwing.db"), OpenError::Corrupt { .. }));
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    let folder = used().await;
    let path = folder.path().join("waxwing.db");
    let mut bytes = fs::read(&path).unwrap();
    // The header stays; everything behind the first page is noise.
    bytes[4096..].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    assert!(matches!(refusal(folder.path(), "waxwing.db"), OpenError::Corrupt { .. }));
}

#[tokio::test]
async fn a_truncated_database_is_refused() {
    let folder = used().await;
    let path = folder.path().join("waxwing.db");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(refusal(folder.path(), "waxwing.db"), OpenError::Corrupt { .. }));
}

#[tokio::test]
async fn damage_met_later_is_corrupt_and_not_a_panic() {
    let fixture = Fixture::new();
    let journal = fixture.engine.journal();
    for number in 0..100 {
        done(journal.append(commit(&format!("sample/{number}"), 1, vec![7; 4000]), vec![]).await.unwrap());
    }
    let fixture = fixture.reopened().await;
    let path = fixture.folder.path().join("waxwing.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let read = fixture.engine.feed().next("consumer", &[], 1000).await;
    assert!(matches!(read, Err(PortError::Corrupt(_))), "{read:?}");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = used().await;
    let database = Connection::open(folder.path().join("waxwing.db")).unwrap();
    database.pragma_update(None, "user_version", 4711).unwrap();
    drop(database);
    let error = refusal(folder.path(), "waxwing.db");
    assert!(matches!(error, OpenError::Newer { found: 4711, .. }), "{error:?}");
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("waxwing.db");
    let database = Connection::open(&path).unwrap();
    database.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    drop(database);
    let before = fs::read(&path).unwrap();
    assert!(matches!(refusal(folder.path(), "waxwing.db"), OpenError::Foreign { .. }));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(!folder.path().join("master.key").exists());
}

#[tokio::test]
async fn a_start_that_was_killed_early_is_picked_up() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("waxwing.db"), b"").unwrap();
    fs::write(folder.path().join("master.key.new"), b"half a k").unwrap();
    open(folder.path()).unwrap();
}

#[tokio::test]
async fn a_missing_master_key_is_refused_where_a_database_needs_it() {
    let folder = used().await;
    fs::remove_file(folder.path().join("master.key")).unwrap();
    assert!(matches!(refusal(folder.path(), "master.key"), OpenError::MasterKey { .. }));
    assert!(!folder.path().join("master.key").exists(), "no new key is made over an old database");
}

#[tokio::test]
async fn a_master_key_that_is_none_is_refused() {
    let folder = used().await;
    let path = folder.path().join("master.key");
    let key = fs::read_to_string(&path).unwrap();
    for malformed in
        ["", &key[..63], &key.replace(|digit: char| digit.is_ascii_hexdigit(), "x"), &key.repeat(2)]
    {
        fs::write(&path, malformed).unwrap();
        assert!(matches!(refusal(folder.path(), "master.key"), OpenError::MasterKey { .. }));
    }
    fs::write(&path, "0123456789abcdef".repeat(4)).unwrap();
    let foreign = refusal(folder.path(), "master.key");
    assert!(foreign.to_string().contains("another database"), "{foreign}");
    fs::write(&path, key).unwrap();
    open(folder.path()).unwrap();
}

#[tokio::test]
async fn a_master_key_that_others_can_read_is_refused() {
    let folder = used().await;
    let path = folder.path().join("master.key");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let text = refusal(folder.path(), "master.key").to_string();
    assert!(text.contains("chmod 600"), "{text}");
}
