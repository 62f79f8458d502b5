use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use waxwing_app::ports::{
    Consistency, Erased, Erasure, Key, KeyCustody, KeyOwners, KeyedHash, PortError, Query, Records, Row,
    Sealed, SecretBox, Write,
};
use waxwing_conformance as conformance;
use waxwing_domain::AccountId;

use crate::all_break;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    ErasesNothing,
    ErasesEverybody,
    StopsAtAThousand,
    LeavesTheIndex,
    RotatesNothing,
    RotationDestroys,
    DestroysNothing,
    DestroysTheLastOnly,
    DestroysEverybody,
    BeginsAnew,
    RotatesWithoutAKey,
    RotatesBehindTheEnd,
    NamesTheFirstPage,
    NamesOwnersByKey,
    NamesTheErased,
}

/// Rows in memory, and keys that are numbers.
struct Toy {
    rows: Mutex<BTreeMap<Key, Row>>,
    indexed: Mutex<BTreeMap<String, Row>>,
    /// Of each account which keys are there; `false` when destroyed.
    keys: Mutex<HashMap<AccountId, Vec<bool>>>,
    fault: Fault,
}

/// Few, so that there are several pages.
const OWNERS_AT_ONCE: usize = 50;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Records for Toy {
    async fn get(&self, key: &Key, _: Consistency) -> Result<Option<Row>, PortError> {
        Ok(lock(&self.rows).get(key).cloned())
    }

    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<bool>, PortError> {
        let count = writes.len();
        for write in writes {
            let Write::Put(row, _) = write else { continue };
            let place = format!("{}/{}", row.indexes[0].partition, row.indexes[0].sort);
            lock(&self.indexed).insert(place, row.clone());
            lock(&self.rows).insert(row.key.clone(), row);
        }
        Ok(vec![true; count])
    }

    async fn write_all(&self, writes: Vec<Write>) -> Result<(), PortError> {
        self.write_each(writes).await.map(drop)
    }

    async fn query(&self, query: Query) -> Result<Vec<Row>, PortError> {
        let indexed = lock(&self.indexed);
        let inside = indexed.iter().filter(|(place, _)| place.starts_with(&query.partition));
        Ok(inside.map(|(_, row)| row.clone()).take(query.limit).collect())
    }
}

#[async_trait]
impl Erasure for Toy {
    async fn erase_rows(&self, account: AccountId, _: Option<&str>) -> Result<Erased, PortError> {
        let mut left: usize = if self.fault == Fault::StopsAtAThousand { 1_000 } else { usize::MAX };
        let prefix = format!("{account}/");
        let mut goes = |partition: &str| match self.fault {
            Fault::ErasesNothing => false,
            Fault::ErasesEverybody => true,
            _ if !partition.starts_with(&prefix) || left == 0 => false,
            _ => {
                left -= 1;
                true
            },
        };
        let mut rows = lock(&self.rows);
        let before = rows.len();
        rows.retain(|key, _| !goes(&key.partition));
        if self.fault != Fault::LeavesTheIndex {
            lock(&self.indexed).retain(|_, row| rows.contains_key(&row.key));
        }
        Ok(Erased { rows: (before - rows.len()) as u64, next: None })
    }
}

#[async_trait]
impl SecretBox for Toy {
    async fn seal(&self, account: AccountId, _: &[u8], _: &[u8]) -> Result<Sealed, PortError> {
        let mut keys = lock(&self.keys);
        let keys = keys.entry(account).or_default();
        match keys.last() {
            None => keys.push(true),
            Some(false) if self.fault == Fault::BeginsAnew => keys.push(true),
            Some(false) => return Err(PortError::Erased("a key".to_owned())),
            Some(true) => {},
        }
        Ok(Sealed { key_id: keys.len().to_string(), bytes: Vec::new() })
    }

    async fn open(&self, account: AccountId, _: &[u8], sealed: &Sealed) -> Result<Vec<u8>, PortError> {
        let number: usize = sealed.key_id.parse().map_err(|_| PortError::Corrupt(String::new()))?;
        match lock(&self.keys).get(&account).and_then(|keys| keys.get(number - 1)) {
            Some(true) => Ok(Vec::new()),
            Some(false) => Err(PortError::Erased("a key".to_owned())),
            None => Err(PortError::NotFound("a key".to_owned())),
        }
    }

    fn keyed_hash(&self, _: &str, _: &[u8]) -> KeyedHash {
        [0; 32]
    }
}

#[async_trait]
impl KeyCustody for Toy {
    async fn rotate(&self, account: AccountId) -> Result<(), PortError> {
        let newest = || lock(&self.keys).get(&account).and_then(|keys| keys.last().copied());
        let seen = newest();
        // As behind a network: others come in between.
        tokio::task::yield_now().await;
        let newest = if self.fault == Fault::RotatesBehindTheEnd { seen } else { newest() };
        match newest {
            None if self.fault != Fault::RotatesWithoutAKey => {
                return Err(PortError::NotFound("a key".to_owned()));
            },
            Some(false) if self.fault != Fault::BeginsAnew => {
                return Err(PortError::Erased("a key".to_owned()));
            },
            _ => {},
        }
        let mut keys = lock(&self.keys);
        let keys = keys.entry(account).or_default();
        match self.fault {
            Fault::RotatesNothing => return Ok(()),
            Fault::RotationDestroys => keys.fill(false),
            _ => {},
        }
        keys.push(true);
        Ok(())
    }

    async fn owners(&self, after: Option<&str>) -> Result<KeyOwners, PortError> {
        let keys = lock(&self.keys);
        let mut named = Vec::new();
        for (owner, keys) in keys.iter() {
            match self.fault {
                Fault::NamesOwnersByKey => named.extend(keys.iter().filter(|lives| **lives).map(|_| *owner)),
                Fault::NamesTheErased => named.push(*owner),
                _ => named.extend(keys.last().filter(|lives| **lives).map(|_| *owner)),
            }
        }
        named.sort_unstable();
        let from: usize = after.and_then(|after| after.parse().ok()).unwrap_or(0);
        let end = named.len().min(from + OWNERS_AT_ONCE);
        let has_more = end < named.len() && self.fault != Fault::NamesTheFirstPage;
        let owners = named.get(from..end).unwrap_or_default().to_vec();
        Ok(KeyOwners { owners, next: has_more.then(|| end.to_string()) })
    }

    async fn destroy(&self, account: AccountId) -> Result<(), PortError> {
        let mut keys = lock(&self.keys);
        match self.fault {
            Fault::DestroysNothing => {},
            Fault::DestroysEverybody => keys.values_mut().for_each(|keys| keys.fill(false)),
            Fault::DestroysTheLastOnly => keys
                .entry(account)
                .or_insert(vec![true])
                .iter_mut()
                .rev()
                .take(1)
                .for_each(|key| *key = false),
            _ => keys.entry(account).or_insert(vec![true]).fill(false),
        }
        Ok(())
    }
}

fn toy(fault: Fault) -> Toy {
    Toy { rows: Mutex::default(), indexed: Mutex::default(), keys: Mutex::default(), fault }
}

async fn suite(fault: Fault) {
    let toy = toy(fault);
    conformance::erasure(&toy, &toy).await;
    conformance::key_custody(&toy, &toy).await;
}

#[tokio::test]
async fn a_correct_end_of_an_account_passes() {
    suite(Fault::None).await;
}

#[tokio::test]
async fn a_faulty_end_of_an_account_is_found() {
    let cases = [
        (Fault::ErasesNothing, "says how many rows"),
        (Fault::ErasesEverybody, "says how many rows"),
        (Fault::StopsAtAThousand, "says how many rows"),
        (Fault::LeavesTheIndex, "no index entry is left"),
        (Fault::RotatesNothing, "another key seals after a rotation"),
        (Fault::RotationDestroys, "opens as before"),
        (Fault::DestroysNothing, "sealed is `Erased`"),
        (Fault::DestroysTheLastOnly, "sealed is `Erased`"),
        (Fault::DestroysEverybody, "others keep their keys"),
        (Fault::BeginsAnew, "nothing is sealed after the end"),
        (Fault::RotatesWithoutAKey, "gets none by a rotation"),
        (Fault::RotatesBehindTheEnd, "no rotation makes a key behind the end"),
        (Fault::NamesTheFirstPage, "is named once"),
        (Fault::NamesOwnersByKey, "is named once"),
        (Fault::NamesTheErased, "nobody whose keys are gone"),
    ];
    all_break(cases, suite).await;
}
