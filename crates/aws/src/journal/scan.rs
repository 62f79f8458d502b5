//! The names of the journal's streams, part by part: for operators, who rebuild and replay.

use std::collections::HashSet;

use jiff::Timestamp;
use waxwing_app::ports::{PortError, StreamName};
use waxwing_domain::AccountId;

use super::{
    DynamoJournal,
    commit::{self, AT_MS, AT_VERSION, PARTITION},
};
use crate::{
    failure::{port_error, refused},
    item::{Item, Reader, number, text},
};

/// Which streams a scan names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFilter {
    /// All of them, each on one page.
    All,
    /// Those with a commit that was decided in this time, both ends included. A stream may stand on several pages.
    Written {
        /// Not earlier.
        since: Timestamp,
        /// Not later.
        until: Timestamp,
    },
}

/// A part of the journal, and what to look for in it. The parts of one number of `segments` are the whole journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalScan {
    /// Which part, from 0.
    pub segment: u32,
    /// How many parts there are: up to 1,000,000.
    pub segments: u32,
    /// Which streams.
    pub wanted: StreamFilter,
    /// Most commits that are read for one page, where 1 MB of them is too much.
    pub page_limit: Option<u32>,
}

/// Some streams of a part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamPage {
    /// The streams, in no order; perhaps none.
    pub streams: Vec<(AccountId, StreamName)>,
    /// Behind which the next page begins; `None` at the end of the part. It means something to this scan only.
    pub next: Option<String>,
}

impl DynamoJournal {
    /// Only the keys of what is wanted travel, but DynamoDB reads, and bills, all of each commit. Eventually consistent at
    /// half the price: what was committed a moment ago is on its way through the feed.
    pub(crate) async fn scan(
        &self,
        scan: &JournalScan,
        after: Option<&str>,
    ) -> Result<StreamPage, PortError> {
        let part = |number: u32| i32::try_from(number).map_err(|_| refused("too many parts of the journal"));
        let builder = self
            .dynamo
            .scan()
            .table_name(&self.journal_table)
            .segment(part(scan.segment)?)
            .total_segments(part(scan.segments)?)
            .set_limit(scan.page_limit.map(part).transpose()?)
            .set_exclusive_start_key(after.map(read_position).transpose()?)
            .projection_expression("#pk, #v")
            .expression_attribute_names("#pk", PARTITION)
            .expression_attribute_names("#v", AT_VERSION);
        let builder = match scan.wanted {
            StreamFilter::All => {
                builder.filter_expression("#v = :first").expression_attribute_values(":first", number(1))
            },
            StreamFilter::Written { since, until } => builder
                .filter_expression("#ms BETWEEN :since AND :until")
                .expression_attribute_names("#ms", AT_MS)
                .expression_attribute_values(":since", number(since.as_millisecond()))
                .expression_attribute_values(":until", number(until.as_millisecond())),
        };
        let page = builder.send().await.map_err(|error| port_error(&self.journal(), &error))?;
        let (mut streams, mut seen) = (Vec::new(), HashSet::new());
        for item in page.items.unwrap_or_default() {
            let partition = self.key_reader(&item).text(PARTITION)?;
            let stream = commit::read_partition(&partition)
                .ok_or_else(|| PortError::Corrupt(format!("{}: the key {partition:?}", self.journal())))?;
            if seen.insert(stream.clone()) {
                streams.push(stream);
            }
        }
        let next = page.last_evaluated_key.as_ref().map(|key| self.position(key)).transpose()?;
        Ok(StreamPage { streams, next })
    }

    /// How the key of a commit is kept between pages.
    fn position(&self, key: &Item) -> Result<String, PortError> {
        let key = self.key_reader(key);
        Ok(format!("{}/{}", key.number::<u64>(AT_VERSION)?, key.text(PARTITION)?))
    }

    fn key_reader<'a>(&'a self, item: &'a Item) -> Reader<'a> {
        Reader { what: &self.journal_table, item }
    }
}

/// The reverse of [`DynamoJournal::position`].
fn read_position(position: &str) -> Result<Item, PortError> {
    let key = position.split_once('/').and_then(|(version, partition)| {
        let version: u64 = version.parse().ok()?;
        Some(Item::from([(PARTITION.to_owned(), text(partition)), (AT_VERSION.to_owned(), number(version))]))
    });
    key.ok_or_else(|| refused(format_args!("{position:?} is no position of a scan")))
}
