//! Other keys: what was sealed opens, whatever ended a rotation when, and the old master key opens nothing.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use rusqlite::Connection;
use tempfile::TempDir;
use waxwing_app::{
    envelope::{KEY_LEN, KeyBytes, RootKey, decrypt, key_place},
    ports::{KeyedHash, PortError, Sealed},
};
use waxwing_conformance::TestClock;
use waxwing_domain::AccountId;
use waxwing_embedded::{Engine, OpenError, rotate_master_key};

use crate::{Fixture, entropy};

/// With two keys each they are more than are wrapped anew at once.
const OWNERS: u64 = 280;
const KILLS: usize = 12;

/// What was sealed, and has to open.
struct Known {
    sealed: Vec<(AccountId, Sealed)>,
    erased: (AccountId, Sealed),
    hash: KeyedHash,
}

fn owner(number: u64) -> AccountId {
    AccountId::derived(number, &[b"rotation"])
}

/// A folder that is closed, with two keys for each owner and one owner who was erased.
async fn filled(owners: u64) -> (TempDir, Known) {
    let fixture = Fixture::new();
    let (secrets, keys) = (fixture.engine.secrets(), fixture.engine.keys());
    let (secrets, keys) = (&secrets, &keys);
    let sealed = join_all((0..owners).map(|number| async move {
        let first = secrets.seal(owner(number), b"context", b"text").await.unwrap();
        keys.rotate(owner(number)).await.unwrap();
        let second = secrets.seal(owner(number), b"context", b"text").await.unwrap();
        assert_eq!([first.key_id.as_str(), second.key_id.as_str()], ["dk1", "dk2"]);
        [(owner(number), first), (owner(number), second)]
    }));
    let sealed = sealed.await.into_iter().flatten().collect();
    let gone = owner(owners);
    let erased = (gone, secrets.seal(gone, b"context", b"text").await.unwrap());
    keys.destroy(gone).await.unwrap();
    let known = Known { sealed, erased, hash: secrets.keyed_hash("purpose", b"data") };
    fixture.engine.close().await.unwrap();
    (fixture.folder, known)
}

fn open(folder: &Path) -> Result<Engine, OpenError> {
    Engine::open(folder, Arc::new(TestClock::default()), entropy())
}

/// Opens the folder, reads everything, and seals anew.
async fn check(folder: &Path, known: &Known) {
    let engine = open(folder).unwrap();
    let (secrets, keys) = (engine.secrets(), engine.keys());
    for (owner, sealed) in &known.sealed {
        assert_eq!(secrets.open(*owner, b"context", sealed).await.unwrap(), b"text");
    }
    let (gone, sealed) = &known.erased;
    for answer in [
        secrets.open(*gone, b"context", sealed).await.map(drop),
        secrets.seal(*gone, b"", b"").await.map(drop),
        keys.rotate(*gone).await,
    ] {
        assert!(matches!(answer, Err(PortError::Erased(_))), "{answer:?}");
    }
    assert_eq!(secrets.keyed_hash("purpose", b"data"), known.hash, "hashes stay what they were");
    assert_eq!(secrets.seal(owner(0), b"", b"").await.unwrap().key_id, "dk2");
    engine.close().await.unwrap();
    assert!(!folder.join("master.key.new").exists(), "one key file is left");
    let mode = fs::metadata(folder.join("master.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

fn copy(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

fn master_key(folder: &Path) -> String {
    fs::read_to_string(folder.join("master.key")).unwrap()
}

fn put(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The root of what follows from a key file.
fn root(text: &str) -> RootKey {
    let mut key = KeyBytes::default();
    for (place, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap();
    }
    RootKey::new(&key)
}

/// All data keys in the database, with what they are bound to.
fn wrapped(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let database = Connection::open(folder.join("waxwing.db")).unwrap();
    let mut statement =
        database.prepare("SELECT account, number, wrapped FROM data_keys WHERE wrapped IS NOT NULL").unwrap();
    let rows = statement.query_map([], |row| {
        let (account, number): (String, i64) = (row.get(0)?, row.get(1)?);
        Ok((key_place(account.parse().unwrap(), number.cast_unsigned()), row.get(2)?))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn opened_by(key: &str, wrapped: &[(String, Vec<u8>)]) -> usize {
    let wrapping = root(key).derive(&[b"waxwing/1/wrap-data-keys"]);
    wrapped.iter().filter(|(place, bytes)| decrypt(&wrapping, place.as_bytes(), bytes).is_ok()).count()
}

#[tokio::test]
async fn another_master_key_wraps_everything_and_the_old_one_nothing() {
    let (folder, known) = filled(OWNERS).await;
    let (before, old) = (copy(folder.path()), master_key(folder.path()));
    let old_keys = wrapped(folder.path());
    assert_eq!(opened_by(&old, &old_keys), 2 * OWNERS as usize);

    let rotated = rotate_master_key(folder.path(), &*entropy()).unwrap();
    assert_eq!(rotated.data_keys, 2 * OWNERS);
    let new = master_key(folder.path());
    assert_ne!(new, old);
    assert_eq!(new.trim_end().len(), 2 * KEY_LEN);
    let new_keys = wrapped(folder.path());
    assert_eq!(opened_by(&new, &new_keys), new_keys.len());
    assert_eq!(opened_by(&old, &new_keys), 0, "the old key opens nothing");
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let old_key = old.trim_end().as_bytes();
        assert!(!bytes.windows(old_key.len()).any(|window| window == old_key), "the old key is in no file");
        for (_, old_key) in old_keys.iter().step_by(40) {
            assert!(!bytes.windows(old_key.len()).any(|window| window == old_key), "nor what it wrapped");
        }
    }
    check(folder.path(), &known).await;

    put(folder.path(), "master.key", &old);
    let Err(error) = open(folder.path()) else { panic!("the old key was taken") };
    assert!(error.to_string().contains("before a rotation"), "{error}");
    put(folder.path(), "master.key", &new);
    check(folder.path(), &known).await;
    check(before.path(), &known).await;
    let again = rotate_master_key(folder.path(), &*entropy()).unwrap();
    assert_eq!(again.data_keys, 2 * OWNERS);
    check(folder.path(), &known).await;
}

#[tokio::test]
async fn a_rotation_that_ended_at_any_step_is_picked_up() {
    let (old, known) = filled(5).await;
    let new = copy(old.path());
    rotate_master_key(new.path(), &*entropy()).unwrap();
    let (old_key, new_key) = (master_key(old.path()), master_key(new.path()));
    // The database, the key in its place, the one beside it, and which of them has to remain.
    let steps = [
        ("half a key is written", &old, Some(&*old_key), Some(&new_key[..20]), &old_key),
        ("the key is written", &old, Some(&*old_key), Some(&*new_key), &old_key),
        ("the transaction is done", &new, Some(&*old_key), Some(&*new_key), &new_key),
        ("the old key is gone", &new, None, Some(&*new_key), &new_key),
        ("the key is in its place", &new, Some(&*new_key), None, &new_key),
    ];
    for (step, database, current, beside, remains) in steps {
        let state = || {
            let folder = copy(database.path());
            fs::remove_file(folder.path().join("master.key")).unwrap();
            for (name, text) in [("master.key", current), ("master.key.new", beside)] {
                if let Some(text) = text {
                    put(folder.path(), name, text);
                }
            }
            folder
        };
        let opened = state();
        check(opened.path(), &known).await;
        assert_eq!(master_key(opened.path()), *remains, "{step}");
        let rotated = state();
        rotate_master_key(rotated.path(), &*entropy()).unwrap();
        check(rotated.path(), &known).await;
        assert!(![&old_key, &new_key].contains(&&master_key(rotated.path())), "{step}");
    }
    // Neither of two files is the key: both stay, for whoever has to find out.
    let foreign = copy(new.path());
    put(foreign.path(), "master.key", &old_key);
    put(foreign.path(), "master.key.new", &"0123456789abcdef".repeat(4));
    assert!(matches!(open(foreign.path()), Err(OpenError::MasterKey { .. })));
    assert!(foreign.path().join("master.key.new").exists());
}

/// The child is `examples/rotate_until_killed.rs`.
#[tokio::test]
async fn a_killed_rotation_loses_nothing() {
    let (folder, known) = filled(60).await;
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples/rotate_until_killed");
    let mut seen = vec![master_key(folder.path())];
    for kill in 0..KILLS {
        let mut child = Command::new(&program).arg(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..=kill % 3 {
            assert!(lines.next().is_some(), "the child goes on rotating");
        }
        std::thread::sleep(Duration::from_micros(900 * kill as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        check(folder.path(), &known).await;
        seen.push(master_key(folder.path()));
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), KILLS + 1, "each child rotated");
}

#[tokio::test]
async fn a_database_from_before_keeps_its_hashes() {
    let (folder, mut known) = filled(3).await;
    // As the first schema was: the master key is the root of hashes, too.
    let database = Connection::open(folder.path().join("waxwing.db")).unwrap();
    let later =
        "DROP TABLE hash_root; DROP TABLE search; DROP TABLE search_documents; DROP TABLE search_names;";
    database.execute_batch(&format!("{later} PRAGMA user_version = 1;")).unwrap();
    drop(database);
    known.hash = root(&master_key(folder.path())).keyed_hash("purpose", b"data");
    check(folder.path(), &known).await;
    for _ in 0..2 {
        rotate_master_key(folder.path(), &*entropy()).unwrap();
        check(folder.path(), &known).await;
    }
}

#[tokio::test]
async fn hashes_of_a_new_database_do_not_follow_from_its_master_key() {
    let fixture = Fixture::new();
    let from_the_file = root(&master_key(fixture.folder.path())).keyed_hash("purpose", b"data");
    assert_ne!(fixture.engine.secrets().keyed_hash("purpose", b"data"), from_the_file);
}

#[tokio::test]
async fn a_folder_in_use_keeps_its_master_key() {
    let fixture = Fixture::new();
    let key = master_key(fixture.folder.path());
    let rotated = rotate_master_key(fixture.folder.path(), &*entropy());
    assert!(matches!(rotated, Err(OpenError::Locked { .. })), "{rotated:?}");
    assert_eq!(master_key(fixture.folder.path()), key);
    assert!(!fixture.folder.path().join("master.key.new").exists());
}

#[tokio::test]
async fn a_damaged_data_key_stops_a_rotation_and_costs_nothing_else() {
    let (folder, mut known) = filled(3).await;
    let (key, (lost, _)) = (master_key(folder.path()), known.sealed.remove(5));
    let database = Connection::open(folder.path().join("waxwing.db")).unwrap();
    let damage = "UPDATE data_keys SET wrapped = zeroblob(72) WHERE account = ?1 AND number = 2";
    database.execute(damage, [lost.to_string()]).unwrap();
    drop(database);
    let error = rotate_master_key(folder.path(), &*entropy()).unwrap_err();
    assert!(error.to_string().contains(&key_place(lost, 2)), "{error}");
    check(folder.path(), &known).await;
    assert_eq!(master_key(folder.path()), key);
}

#[tokio::test]
async fn a_running_engine_uses_another_data_key_at_once() {
    let fixture = Fixture::new();
    let (secrets, keys) = (fixture.engine.secrets(), fixture.engine.keys());
    let before = secrets.seal(owner(1), b"", b"before").await.unwrap();
    keys.rotate(owner(1)).await.unwrap();
    let after = secrets.seal(owner(1), b"", b"after").await.unwrap();
    assert_eq!([before.key_id.as_str(), after.key_id.as_str()], ["dk1", "dk2"]);
    let fixture = fixture.reopened().await;
    let secrets = fixture.engine.secrets();
    assert_eq!(secrets.open(owner(1), b"", &before).await.unwrap(), b"before");
    assert_eq!(secrets.open(owner(1), b"", &after).await.unwrap(), b"after");
    assert_eq!(secrets.seal(owner(1), b"", b"").await.unwrap().key_id, "dk2");
}
