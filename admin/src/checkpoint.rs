use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};
use waxwing_app::{
    keys,
    ports::{Bounds, Guard, PortError, Query, Records, Write},
    rows,
};

/// The part that says what the work is. It is the first to be there and the last to go.
pub(crate) const RUN: &str = "run";
/// Parts read at once.
const PAGE: usize = 1_000;

/// Where a long work is, kept in Records.
pub(crate) struct Checkpoint {
    records: Arc<dyn Records>,
    work: &'static str,
}

impl Checkpoint {
    pub(crate) fn new(records: Arc<dyn Records>, work: &'static str) -> Self {
        Self { records, work }
    }

    pub(crate) async fn load<T: DeserializeOwned>(&self, part: &str) -> Result<Option<T>, PortError> {
        rows::get(&*self.records, &keys::operation_part(self.work, part)).await
    }

    pub(crate) async fn keep(&self, part: &str, value: &impl Serialize) -> Result<(), PortError> {
        let row = rows::row(keys::operation_part(self.work, part), 1, value)?;
        self.records.write_each(vec![Write::Put(row, Guard::Always)]).await.map(drop)
    }

    /// Forgets the work. What is interrupted here leaves [`RUN`] there, with parts that are then done again.
    pub(crate) async fn remove(&self) -> Result<(), PortError> {
        loop {
            let partition = keys::operation(self.work);
            let query =
                Query { index: 0, partition, bounds: Bounds::default(), descending: false, limit: PAGE };
            let rows = self.records.query(query).await?;
            let parts = rows.into_iter().map(|row| row.key).filter(|key| key.sort != RUN);
            let gone: Vec<Write> = parts.map(|key| Write::Delete(key, Guard::Always)).collect();
            if gone.is_empty() {
                break;
            }
            self.records.write_each(gone).await?;
        }
        let run = Write::Delete(keys::operation_part(self.work, RUN), Guard::Always);
        self.records.write_each(vec![run]).await.map(drop)
    }
}
