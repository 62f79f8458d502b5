//! Every port of the engine passes its suite.

use waxwing_app::search::WordIndex;
use waxwing_conformance as conformance;

use crate::Fixture;

#[tokio::test]
async fn sqlite_journal_conforms() {
    let fixture = Fixture::new();
    conformance::journal(&*fixture.engine.journal(), &fixture.clock).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_feed_conforms() {
    let fixture = Fixture::new();
    conformance::feed(&*fixture.engine.feed(), &*fixture.engine.journal(), &fixture.clock).await;
}

#[tokio::test]
async fn sqlite_records_conform() {
    let fixture = Fixture::new();
    conformance::records(&*fixture.engine.records(), &fixture.clock).await;
    conformance::erasure(&*fixture.engine.records(), &*fixture.engine.erasure()).await;
}

#[tokio::test]
async fn sqlite_search_conforms() {
    let fixture = Fixture::new();
    conformance::search(&*fixture.engine.search(), &*fixture.engine.erasure()).await;
}

/// The index for engines without one of their own.
#[tokio::test]
async fn the_word_index_conforms_on_sqlite_records() {
    let fixture = Fixture::new();
    let index = WordIndex { records: fixture.engine.records() };
    conformance::search(&index, &*fixture.engine.erasure()).await;
}

#[tokio::test]
async fn sqlite_work_conforms() {
    let fixture = Fixture::new();
    conformance::work(&*fixture.engine.work(), &*fixture.clock).await;
    conformance::exclusive_work(&*fixture.engine.work(), &fixture.clock).await;
}

#[tokio::test]
async fn local_secret_box_conforms() {
    let fixture = Fixture::new();
    conformance::secret_box(&*fixture.engine.secrets()).await;
    conformance::key_custody(&*fixture.engine.secrets(), &*fixture.engine.keys()).await;
}
