use async_trait::async_trait;
use jiff::Timestamp;

use super::PortError;

/// Where a row lives. Both parts are built by functions in [`crate::keys`], which put the account first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What is read together.
    pub partition: String,
    /// Order inside the partition, by bytes.
    pub sort: String,
}

impl Key {
    /// A key from its two parts.
    pub fn new(partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self { partition: partition.into(), sort: sort.into() }
    }
}

/// A second place at which a row is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// Number of the index: 1, 2 or 3 (a table on AWS declares that many).
    pub index: u8,
    /// What is read together.
    pub partition: String,
    /// Order inside the partition, by bytes. Unique there by construction.
    pub sort: String,
}

/// A row of a read model or of operational state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it lives.
    pub key: Key,
    /// What it says: up to 512 KiB. A text of 65,536 characters takes up to 393 KB as JSON. AWS has room for 400 KB, or for
    /// what compresses to as much.
    pub value: Vec<u8>,
    /// Version that the writer last saw; what a guard compares.
    pub version: u64,
    /// Other places at which it is found, at most one in each index. They are replaced with the row.
    pub indexes: Vec<IndexEntry>,
    /// After this time the row counts as gone and is removed some time later.
    pub expires_at: Option<Timestamp>,
}

/// On what a write depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// On nothing.
    Always,
    /// There is no row yet.
    Absent,
    /// There is no row, or its version is lower than the new one.
    Newer,
    /// There is a row with exactly this version.
    Exactly(u64),
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Put the row where the guard holds.
    Put(Row, Guard),
    /// Remove the row where the guard holds. A missing row satisfies [`Guard::Always`] and [`Guard::Absent`].
    Delete(Key, Guard),
    /// Change nothing, but the guard has to hold. Only in [`Records::write_all`].
    Check(Key, Guard),
}

/// How fresh a read has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// May lag by a second.
    Eventual,
    /// Sees every write that returned before the read began.
    Strong,
}

/// Which part of a partition a query reads: sort keys between the bounds, both exclusive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Only sort keys above this one.
    pub after: Option<String>,
    /// Only sort keys below this one.
    pub before: Option<String>,
}

/// A range query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// 0 for the rows' own keys, else the number of an index.
    pub index: u8,
    /// The partition.
    pub partition: String,
    /// The part of it.
    pub bounds: Bounds,
    /// From the highest sort key downwards.
    pub descending: bool,
    /// Most rows to return: up to 1,000.
    pub limit: usize,
}

/// Read models and state.
#[async_trait]
pub trait Records: Send + Sync {
    /// The row, unless there is none or its time is over.
    async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Row>, PortError>;

    /// Writes each where its guard holds, and says for each whether it was applied. In order inside a partition; durable
    /// when this returns. On an error any prefix of each partition's writes may have been applied. Up to 1,000 writes.
    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<bool>, PortError>;

    /// Writes all or nothing; [`PortError::Conflict`] when a guard does not hold. Up to 100 writes, and 4 MB on AWS.
    async fn write_all(&self, writes: Vec<Write>) -> Result<(), PortError>;

    /// Rows of one partition in the order of their sort keys. On the rows' own keys (index 0) the read is strongly
    /// consistent; an index may lag by a second.
    async fn query(&self, query: Query) -> Result<Vec<Row>, PortError>;

    /// The sort keys that such a query of an index (1, 2 or 3) finds, without the rows: for what is only counted. On AWS that
    /// costs a fraction, and shows a row whose time is over until it is removed.
    async fn places(&self, query: Query) -> Result<Vec<String>, PortError> {
        let (index, partition) = (query.index, query.partition.clone());
        let place = |row: Row| {
            let mut places = row.indexes.into_iter();
            places.find(|place| place.index == index && place.partition == partition).map(|place| place.sort)
        };
        Ok(self.query(query).await?.into_iter().filter_map(place).collect())
    }
}
