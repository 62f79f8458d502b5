use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use waxwing_app::ports::{Clock as _, Consistency, Guard, Key, PortError, Query, Records, Row, Write};
use waxwing_conformance as conformance;
use waxwing_conformance::TestClock;

use crate::all_break;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    LosesIndexes,
    IgnoresAbsent,
    ReplacesEqualVersions,
    IgnoresExactly,
    DeletesWithoutGuard,
    StopsAtARefusal,
    AppliesWhatItRefuses,
    WritesHalf,
    IgnoresChecks,
    LooksThenWritesLater,
    IncludesTheLowerBound,
    IncludesTheUpperBound,
    IgnoresDirection,
    IgnoresTheLimit,
    KeepsOldIndexes,
    IndexesWhatItRefuses,
    NeverForgets,
    GuardsSeeTheForgotten,
}

struct Memory {
    rows: Mutex<BTreeMap<Key, Row>>,
    /// Where rows were once found: what [`Fault::KeepsOldIndexes`] goes on finding.
    shadows: Mutex<Vec<Row>>,
    clock: Arc<TestClock>,
    fault: Fault,
}

impl Memory {
    fn new(fault: Fault) -> Self {
        Self { rows: Mutex::default(), shadows: Mutex::default(), clock: Arc::default(), fault }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<Key, Row>> {
        self.rows.lock().expect("no test panics while it holds the rows")
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn is_there(&self, row: &Row) -> bool {
        self.has(Fault::NeverForgets) || row.expires_at.is_none_or(|end| end >= self.clock.now())
    }

    fn holds(&self, rows: &BTreeMap<Key, Row>, write: &Write) -> bool {
        let (key, guard, new) = match write {
            Write::Put(row, guard) => (&row.key, guard, Some(row.version)),
            Write::Delete(_, _) if self.has(Fault::DeletesWithoutGuard) => return true,
            Write::Check(_, _) if self.has(Fault::IgnoresChecks) => return true,
            Write::Delete(key, guard) | Write::Check(key, guard) => (key, guard, None),
        };
        let row = rows.get(key).filter(|row| self.has(Fault::GuardsSeeTheForgotten) || self.is_there(row));
        let version = row.map(|row| row.version);
        match guard {
            Guard::Always => true,
            Guard::Absent => version.is_none() || self.has(Fault::IgnoresAbsent),
            Guard::Newer if self.has(Fault::ReplacesEqualVersions) => version <= new,
            Guard::Newer => version.is_none_or(|old| new.is_some_and(|new| old < new)),
            Guard::Exactly(wanted) => version == Some(*wanted) || self.has(Fault::IgnoresExactly),
        }
    }

    fn apply(&self, rows: &mut BTreeMap<Key, Row>, write: Write) {
        let old = match write {
            Write::Put(row, _) => rows.insert(row.key.clone(), row),
            Write::Delete(key, _) => rows.remove(&key),
            Write::Check(..) => None,
        };
        self.shadows.lock().expect("no test panics while it holds the shadows").extend(old);
    }

    fn places(&self, rows: &BTreeMap<Key, Row>, query: &Query) -> Vec<(String, Row)> {
        if query.index == 0 {
            let own = rows.values().filter(|row| row.key.partition == query.partition);
            return own.map(|row| (row.key.sort.clone(), row.clone())).collect();
        }
        let shadows = self.shadows.lock().expect("no test panics while it holds the shadows");
        let found = shadows.iter().filter(|_| self.has(Fault::KeepsOldIndexes)).chain(rows.values());
        let mut places: Vec<_> = found
            .flat_map(|row| row.indexes.iter().map(move |entry| (entry, row)))
            .filter(|(entry, _)| entry.index == query.index && entry.partition == query.partition)
            .map(|(entry, row)| (entry.sort.clone(), row.clone()))
            .collect();
        places.sort_by(|a, b| a.0.cmp(&b.0));
        places
    }
}

#[async_trait]
impl Records for Memory {
    async fn get(&self, key: &Key, _consistency: Consistency) -> Result<Option<Row>, PortError> {
        let mut row = self.rows().get(key).filter(|row| self.is_there(row)).cloned();
        if let Some(row) = row.as_mut().filter(|_| self.has(Fault::LosesIndexes)) {
            row.indexes.clear();
        }
        Ok(row)
    }

    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<bool>, PortError> {
        let mut applied = Vec::new();
        for write in writes {
            let mut holds = self.holds(&self.rows(), &write);
            if self.has(Fault::LooksThenWritesLater) {
                tokio::task::yield_now().await;
            }
            let is_stopped = self.has(Fault::StopsAtARefusal) && applied.contains(&false);
            holds &= !is_stopped;
            if holds || self.has(Fault::AppliesWhatItRefuses) {
                self.apply(&mut self.rows(), write);
            } else if self.has(Fault::IndexesWhatItRefuses)
                && let Write::Put(new, _) = write
                && let Some(row) = self.rows().get_mut(&new.key)
            {
                row.indexes = new.indexes;
            }
            applied.push(holds);
        }
        Ok(applied)
    }

    async fn write_all(&self, writes: Vec<Write>) -> Result<(), PortError> {
        let mut rows = self.rows();
        let conflict = || PortError::Conflict("a guard".to_owned());
        if self.has(Fault::WritesHalf) {
            for write in writes {
                if !self.holds(&rows, &write) {
                    return Err(conflict());
                }
                self.apply(&mut rows, write);
            }
            return Ok(());
        }
        if !writes.iter().all(|write| self.holds(&rows, write)) {
            return Err(conflict());
        }
        writes.into_iter().for_each(|write| self.apply(&mut rows, write));
        Ok(())
    }

    async fn query(&self, query: Query) -> Result<Vec<Row>, PortError> {
        let mut places = self.places(&self.rows(), &query);
        let (lower, upper) = (self.has(Fault::IncludesTheLowerBound), self.has(Fault::IncludesTheUpperBound));
        places.retain(|(sort, row)| {
            let above =
                query.bounds.after.as_ref().is_none_or(|after| sort > after || lower && sort == after);
            let below =
                query.bounds.before.as_ref().is_none_or(|before| sort < before || upper && sort == before);
            above && below && self.is_there(row)
        });
        if query.descending && !self.has(Fault::IgnoresDirection) {
            places.reverse();
        }
        let limit = if self.has(Fault::IgnoresTheLimit) { usize::MAX } else { query.limit };
        Ok(places.into_iter().take(limit).map(|(_, row)| row).collect())
    }
}

async fn suite(fault: Fault) {
    let memory = Memory::new(fault);
    conformance::records(&memory, &memory.clock).await;
}

#[tokio::test]
async fn correct_records_pass() {
    suite(Fault::None).await;
}

#[tokio::test]
async fn faulty_records_are_found() {
    let range = "strictly between its bounds in the order";
    let cases = [
        (Fault::LosesIndexes, "a row reads back as it was written"),
        (Fault::IgnoresAbsent, "Absent on version Some(5)"),
        (Fault::ReplacesEqualVersions, "Newer on version Some(5) with version 5"),
        (Fault::IgnoresExactly, "Exactly(0) on version None"),
        (Fault::DeletesWithoutGuard, "a delete with Exactly(1) on version None"),
        (Fault::StopsAtARefusal, "applies in order and says what it applied"),
        (Fault::AppliesWhatItRefuses, "a write happens exactly when its guard holds"),
        (Fault::WritesHalf, "writes nothing when one guard fails"),
        (Fault::IgnoresChecks, "a check of there with Exactly(4)"),
        (Fault::LooksThenWritesLater, "of concurrent writes under one guard exactly one happens"),
        (Fault::IncludesTheLowerBound, range),
        (Fault::IncludesTheUpperBound, range),
        (Fault::IgnoresDirection, range),
        (Fault::IgnoresTheLimit, range),
        (Fault::KeepsOldIndexes, "an index follows its rows"),
        (Fault::IndexesWhatItRefuses, "an index follows its rows"),
        (Fault::NeverForgets, "a row past its time is gone"),
        (Fault::GuardsSeeTheForgotten, "Exactly(5) for version 6"),
    ];
    all_break(cases, suite).await;
}
