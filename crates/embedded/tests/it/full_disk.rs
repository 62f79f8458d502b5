//! A full disk costs the writes that need room, and nothing else.

use std::sync::Arc;

use futures::future::join_all;
use waxwing_app::ports::{Appended, ClaimKey, PortError, StreamName};
use waxwing_conformance::TestClock;
use waxwing_embedded::{Engine, OpenOptions};

use crate::{account, commit, done, entropy, take};

const PAGES: u32 = 60;

#[tokio::test]
async fn a_full_disk_refuses_whole_and_is_overcome() {
    let folder = tempfile::tempdir().unwrap();
    let options = OpenOptions { max_page_count: Some(PAGES) };
    let engine =
        Engine::open_with(folder.path(), &options, Arc::new(TestClock::default()), entropy()).unwrap();
    let journal = engine.journal();
    let append = |version: u64, size| {
        let claims = vec![take(format!("claim-{version}"), b"held")];
        journal.append(commit("sample/full", version, vec![1; size]), claims)
    };
    let mut written = 0;
    let error = loop {
        match append(written + 1, 8_000).await {
            Ok(appended) => done(appended),
            Err(error) => break error,
        };
        written += 1;
        assert!(written < u64::from(PAGES), "the limit was not felt");
    };
    assert!(matches!(&error, PortError::Unavailable(text) if text.contains("disk full")), "{error:?}");
    assert!(written > 3, "some appends fit");

    let stream = StreamName("sample/full".to_owned());
    let there = journal.read(account(), &stream).await.unwrap();
    assert_eq!(there.len() as u64, written, "earlier commits read, and the refused one left nothing");
    let claim = journal.claim(&ClaimKey(format!("claim-{}", written + 1))).await.unwrap();
    assert_eq!(claim, None, "the refused append took no claim");
    let fed = engine.feed().next("consumer", &[], 1000).await.unwrap();
    assert_eq!(fed.len() as u64, written);

    // In one group with one that does not fit, those that do are written. A checkpoint's first row needs no new page.
    let (large, small) = futures::join!(append(written + 1, 200_000), async {
        engine.feed().acknowledge("consumer", &fed[0].order).await
    });
    assert!(matches!(large, Err(PortError::Unavailable(_))), "{large:?}");
    small.unwrap();
    assert_eq!(engine.feed().next("consumer", &[], 1000).await.unwrap().len() as u64, written - 1);

    engine.limit_pages(10_000).await.unwrap();
    assert!(
        matches!(append(written + 1, 8_000).await, Ok(Appended::Done(_))),
        "it goes on when there is room again"
    );
    let more = join_all(
        (0..50).map(|number| journal.append(commit(&format!("more/{number}"), 1, vec![1; 8_000]), vec![])),
    );
    assert!(more.await.iter().all(Result::is_ok));
    engine.close().await.unwrap();
}
