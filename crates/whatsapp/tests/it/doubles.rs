//! Test doubles of the ports: an engine in memory that can fail, a box that seals with a checksum, a clock, randomness.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use waxwing_app::ports::{
    Clock, Consistency, Guard, Key, KeyedHash, PortError, Query, Records, Row, Sealed, SecretBox, Write,
};
use waxwing_domain::{AccountId, Timestamp};

/// An engine in memory. Keeps every write, so that tests can look at what was written and in which order.
#[derive(Default)]
pub struct MemoryRecords {
    rows: Mutex<BTreeMap<(String, String), Row>>,
    log: Mutex<Vec<Vec<Write>>>,
    broken: AtomicBool,
}

impl MemoryRecords {
    pub fn shared() -> Arc<Self> {
        Arc::default()
    }

    /// From now on nothing can be written, or it can again.
    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// What was written so far, write by write.
    pub fn writes(&self) -> Vec<Vec<Write>> {
        self.log.lock().unwrap().clone()
    }

    /// The sort keys of all rows.
    pub fn sort_keys(&self) -> Vec<String> {
        self.rows.lock().unwrap().keys().map(|(_, sort)| sort.clone()).collect()
    }

    /// An engine that stands where this one stands now: what a killed process leaves.
    pub fn after_kill(&self) -> Arc<Self> {
        let rows = Mutex::new(self.rows.lock().unwrap().clone());
        Arc::new(Self { rows, ..Self::default() })
    }

    /// Puts the value of one row of the partition under another key.
    pub fn swap_values_of(&self, from: &str, to: &str) {
        let mut rows = self.rows.lock().unwrap();
        let (place, mut row) = rows
            .iter()
            .find(|((_, sort), _)| sort == from)
            .map(|(at, row)| (at.clone(), row.clone()))
            .unwrap();
        row.key.sort = to.to_owned();
        rows.insert((place.0, to.to_owned()), row);
    }

    fn holds(rows: &BTreeMap<(String, String), Row>, key: &Key, guard: Guard, new: u64) -> bool {
        let known = rows.get(&(key.partition.clone(), key.sort.clone())).map(|row| row.version);
        match guard {
            Guard::Always => true,
            Guard::Absent => known.is_none(),
            Guard::Newer => known.is_none_or(|known| known < new),
            Guard::Exactly(wanted) => known == Some(wanted),
        }
    }

    fn apply(rows: &mut BTreeMap<(String, String), Row>, write: &Write) {
        match write {
            Write::Put(row, _) => {
                rows.insert((row.key.partition.clone(), row.key.sort.clone()), row.clone());
            },
            Write::Delete(key, _) => {
                rows.remove(&(key.partition.clone(), key.sort.clone()));
            },
            Write::Check(..) => {},
        }
    }

    fn guarded(rows: &BTreeMap<(String, String), Row>, write: &Write) -> bool {
        match write {
            Write::Put(row, guard) => Self::holds(rows, &row.key, *guard, row.version),
            Write::Delete(key, guard) | Write::Check(key, guard) => Self::holds(rows, key, *guard, 0),
        }
    }

    fn check_broken(&self) -> Result<(), PortError> {
        match self.broken.load(Ordering::SeqCst) {
            true => Err(PortError::Unavailable("the disk is full".to_owned())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Records for MemoryRecords {
    async fn get(&self, key: &Key, _consistency: Consistency) -> Result<Option<Row>, PortError> {
        Ok(self.rows.lock().unwrap().get(&(key.partition.clone(), key.sort.clone())).cloned())
    }

    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<bool>, PortError> {
        self.check_broken()?;
        let mut rows = self.rows.lock().unwrap();
        let applied = writes.iter().map(|write| {
            let holds = Self::guarded(&rows, write);
            if holds {
                Self::apply(&mut rows, write);
            }
            holds
        });
        Ok(applied.collect())
    }

    async fn write_all(&self, writes: Vec<Write>) -> Result<(), PortError> {
        assert!(writes.len() <= 100, "a write has at most 100 rows");
        // A turn of the scheduler, so that calls can queue up as they do with a real engine.
        tokio::task::yield_now().await;
        self.check_broken()?;
        let mut rows = self.rows.lock().unwrap();
        if !writes.iter().all(|write| Self::guarded(&rows, write)) {
            return Err(PortError::Conflict("a guard did not hold".to_owned()));
        }
        writes.iter().for_each(|write| Self::apply(&mut rows, write));
        self.log.lock().unwrap().push(writes);
        Ok(())
    }

    async fn query(&self, query: Query) -> Result<Vec<Row>, PortError> {
        let rows = self.rows.lock().unwrap();
        let after = query.bounds.after.unwrap_or_default();
        let range = rows.range((query.partition.clone(), after.clone())..);
        let page = range
            .take_while(|((partition, _), _)| *partition == query.partition)
            .filter(|((_, sort), _)| *sort > after)
            .take(query.limit);
        Ok(page.map(|(_, row)| row.clone()).collect())
    }
}

/// Seals by turning the bits over and adding who it is for. Keeps nothing secret.
pub struct PlainBox;

#[async_trait]
impl SecretBox for PlainBox {
    async fn seal(
        &self,
        account: AccountId,
        associated: &[u8],
        plaintext: &[u8],
    ) -> Result<Sealed, PortError> {
        let mut bytes = self.keyed_hash(&account.to_string(), associated).to_vec();
        bytes.extend(plaintext.iter().map(|byte| !byte));
        Ok(Sealed { key_id: "test-key".to_owned(), bytes })
    }

    async fn open(
        &self,
        account: AccountId,
        associated: &[u8],
        sealed: &Sealed,
    ) -> Result<Vec<u8>, PortError> {
        let (tag, bytes) = sealed.bytes.split_at(32);
        if tag != self.keyed_hash(&account.to_string(), associated) {
            return Err(PortError::Corrupt("sealed for another row".to_owned()));
        }
        Ok(bytes.iter().map(|byte| !byte).collect())
    }

    fn keyed_hash(&self, purpose: &str, data: &[u8]) -> KeyedHash {
        use sha2::Digest;
        sha2::Sha256::new_with_prefix(purpose).chain_update(data).finalize().into()
    }
}

/// A clock that stands at the day these tests were written, plus a millisecond for each look.
#[derive(Default)]
pub struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let looks = i64::try_from(self.0.fetch_add(1, Ordering::Relaxed)).unwrap();
        Timestamp::from_millisecond(1_795_362_000_000 + looks).unwrap()
    }
}
