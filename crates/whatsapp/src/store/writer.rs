//! The one task that writes a session's rows: in call order, many calls to one write.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use waxwing_app::ports::{Guard, PortError, Records, SecretBox, Write};

use super::kind::Kind;
use super::row::Owner;
use super::tables::Change;
use super::{Poison, Store};

/// Most rows in one write; one more is the check of the fence.
const ROWS_MAX: usize = 99;
/// Most plaintext in one write, in bytes.
const BYTES_MAX: usize = 2 * 1024 * 1024;
/// Pauses before a failed write is tried again. Past them the store is poisoned.
const RETRY_PAUSES: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(250), Duration::from_millis(1000)];

/// The changes of one call, and who waits for them.
pub(crate) struct Call {
    pub(crate) changes: Vec<Change>,
    pub(crate) done: Option<oneshot::Sender<()>>,
}

/// Where and how rows are written.
pub(crate) struct Target {
    pub(crate) records: Arc<dyn Records>,
    pub(crate) secrets: Arc<dyn SecretBox>,
    pub(crate) owner: Owner,
    /// The version of the header row that this writer holds.
    pub(crate) fence: u64,
}

/// Rows of one write. A row that changes again before it is written takes the newer value.
#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    places: HashMap<(Kind, Box<str>), usize>,
    bytes: usize,
    waiting: Vec<oneshot::Sender<()>>,
    calls: usize,
}

impl Batch {
    fn has_room(&self, change: &Change) -> bool {
        let fits =
            self.changes.len() < ROWS_MAX || self.places.contains_key(&(change.kind, change.key.clone()));
        fits && (self.changes.is_empty() || self.bytes + size(change) <= BYTES_MAX)
    }

    fn add(&mut self, change: Change) {
        self.bytes += size(&change);
        match self.places.entry((change.kind, change.key.clone())) {
            std::collections::hash_map::Entry::Occupied(place) => self.changes[*place.get()] = change,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(self.changes.len());
                self.changes.push(change);
            },
        }
    }
}

fn size(change: &Change) -> usize {
    change.value.as_ref().map_or(0, |value| value.len())
}

/// Writes until the store is gone or poisoned.
pub(crate) async fn run(target: Target, mut calls: mpsc::Receiver<Call>, store: Weak<Store>) {
    let mut batch = Batch::default();
    while let Some(first) = calls.recv().await {
        let mut next = Some(first);
        while let Some(call) = next {
            for change in call.changes {
                if !batch.has_room(&change) && !write(&target, &mut batch, &store).await {
                    return;
                }
                batch.add(change);
            }
            batch.waiting.extend(call.done);
            batch.calls += 1;
            // What queued up meanwhile shares the write.
            next = calls.try_recv().ok();
        }
        if !write(&target, &mut batch, &store).await {
            return;
        }
    }
}

/// Makes the batch durable; false when the store is poisoned.
async fn write(target: &Target, batch: &mut Batch, store: &Weak<Store>) -> bool {
    let batch = std::mem::take(batch);
    if store.upgrade().is_some_and(|store| store.poison().is_some()) {
        return false;
    }
    let written = match batch.changes.is_empty() {
        true => Ok(()),
        false => target.write(&batch.changes).await,
    };
    let Some(store) = store.upgrade() else { return written.is_ok() };
    match written {
        Ok(()) if store.poison().is_none() => {
            store.settled(batch.calls);
            for waiting in batch.waiting {
                // Whoever does not wait any more does not need to know.
                let _ = waiting.send(());
            }
            true
        },
        Ok(()) => false,
        Err(error) => {
            store.poison_with(match error {
                PortError::Conflict(_) => Poison::Fenced,
                other => Poison::WriteFailed(other.to_string()),
            });
            false
        },
    }
}

impl Target {
    async fn write(&self, changes: &[Change]) -> Result<(), PortError> {
        let mut writes = Vec::with_capacity(changes.len() + 1);
        writes.push(Write::Check(self.owner.header_key(), Guard::Exactly(self.fence)));
        for change in changes {
            writes.push(match &change.value {
                Some(value) => {
                    Write::Put(self.owner.seal(self.secrets.as_ref(), change, value).await?, Guard::Always)
                },
                None => Write::Delete(self.owner.key(change.kind, &change.key), Guard::Always),
            });
        }
        // Repeating a write whose outcome is unknown is safe: nobody else writes these rows while the fence holds.
        for pause in RETRY_PAUSES {
            match self.records.write_all(writes.clone()).await {
                Err(error) if error.is_transient() => tokio::time::sleep(pause).await,
                outcome => return outcome,
            }
        }
        self.records.write_all(writes).await
    }
}
