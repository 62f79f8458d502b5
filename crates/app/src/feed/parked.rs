//! Streams that a consumer could not handle.

use serde::{Deserialize, Serialize};
use waxwing_domain::AccountId;

use crate::{
    keys,
    ports::{Bounds, FeedItem, Guard, Key, Order, PortError, Query, Records, StreamName, Write},
    rows,
};

/// Rows read at once.
const PAGE: usize = 1_000;

/// What stands in the row of a parked stream.
#[derive(Serialize, Deserialize)]
struct Parked {
    version: u64,
    order: Order,
    reason: String,
}

/// A stream that a consumer could not handle: its later commits wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParkedStream {
    /// The tenant.
    pub account: AccountId,
    /// The stream.
    pub stream: StreamName,
    /// The first commit that was not handled; 0 when that is not known.
    pub version: u64,
    /// Why.
    pub reason: String,
}

/// Keeps that the consumer could not handle the commit, and why. A stream is parked once.
pub(super) async fn park(
    records: &dyn Records,
    consumer: &str,
    item: &FeedItem,
    reason: &PortError,
) -> Result<(), PortError> {
    let key = keys::parked(consumer, item.commit.account, &item.commit.stream.0);
    let parked =
        Parked { version: item.commit.version, order: item.order.clone(), reason: reason.to_string() };
    records.write_each(vec![Write::Put(rows::row(key, 1, &parked)?, Guard::Absent)]).await.map(drop)
}

/// All streams that the consumer could not handle.
pub async fn parked(records: &dyn Records, consumer: &str) -> Result<Vec<ParkedStream>, PortError> {
    let Key { partition, .. } = keys::parked(consumer, AccountId::SYSTEM, "");
    let (mut streams, mut after) = (Vec::new(), None);
    loop {
        let bounds = Bounds { after: after.take(), before: None };
        let query = Query { index: 0, partition: partition.clone(), bounds, descending: false, limit: PAGE };
        let rows = records.query(query).await?;
        for row in &rows {
            let Some((account, stream)) = row.key.sort.split_once('/') else { continue };
            let account = account.parse().map_err(|_| PortError::Corrupt("parked stream".to_owned()))?;
            // The key is what counts: a stream stays parked whatever became of the reason.
            let (version, reason) = rows::value(row)
                .map_or((0, String::new()), |Parked { version, reason, .. }| (version, reason));
            streams.push(ParkedStream { account, stream: StreamName(stream.to_owned()), version, reason });
        }
        match rows.last() {
            Some(last) if rows.len() == PAGE => after = Some(last.key.sort.clone()),
            _ => return Ok(streams),
        }
    }
}

/// Lets the consumer have the stream's later commits again. Those that it did not get are for the caller to bring: whoever
/// reads the stream after this returns has all of them.
pub async fn unpark(
    records: &dyn Records,
    consumer: &str,
    account: AccountId,
    stream: &StreamName,
) -> Result<(), PortError> {
    let key = keys::parked(consumer, account, &stream.0);
    records.write_each(vec![Write::Delete(key, Guard::Always)]).await.map(drop)
}
