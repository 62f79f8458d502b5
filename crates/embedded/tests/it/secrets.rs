//! Keys: kept over a restart, gone when destroyed.

use std::fs;

use waxwing_app::ports::PortError;
use waxwing_domain::AccountId;

use crate::{Fixture, account};

#[tokio::test]
async fn sealed_bytes_open_after_a_restart() {
    let fixture = Fixture::new();
    let sealed = fixture.engine.secrets().seal(account(), b"context", b"text").await.unwrap();
    let hash = fixture.engine.secrets().keyed_hash("purpose", b"data");
    assert_eq!(sealed.key_id, "dk1");
    let fixture = fixture.reopened().await;
    assert_eq!(fixture.engine.secrets().open(account(), b"context", &sealed).await.unwrap(), b"text");
    assert_eq!(fixture.engine.secrets().seal(account(), b"", b"").await.unwrap().key_id, "dk1");
    assert_eq!(fixture.engine.secrets().keyed_hash("purpose", b"data"), hash);
}

#[tokio::test]
async fn destroyed_keys_open_nothing_any_more() {
    let fixture = Fixture::new();
    let neighbour = AccountId::derived(1, &[b"neighbour"]);
    let ours = fixture.engine.secrets().seal(account(), b"", b"ours").await.unwrap();
    let theirs = fixture.engine.secrets().seal(neighbour, b"", b"theirs").await.unwrap();
    fixture.engine.keys().destroy(account()).await.unwrap();
    for fixture in [&fixture] {
        let opened = fixture.engine.secrets().open(account(), b"", &ours).await;
        assert!(matches!(opened, Err(PortError::Erased(_))), "{opened:?}");
    }
    let fixture = fixture.reopened().await;
    let opened = fixture.engine.secrets().open(account(), b"", &ours).await;
    assert!(matches!(opened, Err(PortError::Erased(_))), "{opened:?}");
    let anew = fixture.engine.secrets().seal(account(), b"", b"anew").await;
    assert!(matches!(anew, Err(PortError::Erased(_))), "{anew:?}");
    assert_eq!(fixture.engine.secrets().open(neighbour, b"", &theirs).await.unwrap(), b"theirs");
}

#[tokio::test]
async fn a_destroyed_key_leaves_the_files() {
    let fixture = Fixture::new();
    fixture.engine.secrets().seal(account(), b"", b"ours").await.unwrap();
    let database = rusqlite::Connection::open(fixture.folder.path().join("waxwing.db")).unwrap();
    let wrapped: Vec<u8> = database.query_row("SELECT wrapped FROM data_keys", [], |row| row.get(0)).unwrap();
    drop(database);
    let is_on_disk = || {
        ["waxwing.db", "waxwing.db-wal"].iter().any(|file| {
            let bytes = fs::read(fixture.folder.path().join(file)).unwrap_or_default();
            bytes.windows(wrapped.len()).any(|window| window == wrapped)
        })
    };
    assert!(is_on_disk());
    fixture.engine.keys().destroy(account()).await.unwrap();
    assert!(!is_on_disk(), "the wrapped key is overwritten in the database and gone from the log");
}
