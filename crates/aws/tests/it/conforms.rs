//! Every port of the engine passes its suite.

use std::sync::Arc;

use async_trait::async_trait;
use waxwing_app::{
    ports::{Consistency, Key, PortError, Query, Records, Row, Write},
    search::WordIndex,
};
use waxwing_conformance as conformance;

use crate::{emulators::Dynamo, fixture::Fixture, on_both};

on_both!(journal_conforms, search_conforms, secret_box_conforms);

async fn journal_conforms(fixture: Fixture) {
    conformance::journal(&*fixture.engine.journal(), &fixture.clock).await;
}

#[tokio::test]
async fn records_conform_on_ministack() {
    let fixture = Fixture::new(Dynamo::Ministack).await;
    conformance::records(&*fixture.engine.records(), &fixture.clock).await;
    conformance::erasure(&*fixture.engine.records(), &*fixture.engine.erasure()).await;
}

#[tokio::test]
async fn records_conform_on_dynamodb_local() {
    let fixture = Fixture::new(Dynamo::Local).await;
    conformance::records(&SmallTransactions(fixture.engine.records()), &fixture.clock).await;
}

/// The DynamoDB Local that can be had as a package is of 2020, when a transaction took fewer writes; that one takes 100 is
/// tested on ministack.
struct SmallTransactions(Arc<dyn Records>);

const SMALL_TRANSACTION: usize = 10;

#[async_trait]
impl Records for SmallTransactions {
    async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Row>, PortError> {
        self.0.get(key, consistency).await
    }

    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<bool>, PortError> {
        self.0.write_each(writes).await
    }

    async fn write_all(&self, writes: Vec<Write>) -> Result<(), PortError> {
        for writes in writes.chunks(SMALL_TRANSACTION) {
            self.0.write_all(writes.to_vec()).await?;
        }
        Ok(())
    }

    async fn query(&self, query: Query) -> Result<Vec<Row>, PortError> {
        self.0.query(query).await
    }
}

async fn search_conforms(fixture: Fixture) {
    let index = WordIndex { records: fixture.engine.records() };
    conformance::search(&index, &*fixture.engine.erasure()).await;
}

async fn secret_box_conforms(fixture: Fixture) {
    conformance::secret_box(&*fixture.engine.secrets()).await;
    conformance::key_custody(&*fixture.engine.secrets(), &*fixture.engine.keys()).await;
}
