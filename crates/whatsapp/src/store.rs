//! A session's Signal state: maps in memory, and rows that are written in order before anything depends on them.
//!
//! Every write checks the fence, the version of the session's header row, which each [`SignalState::open`] raises: a
//! host that lost its session cannot write a thing. A write that fails poisons the state, because the ratchet in memory
//! has moved on and what is stored has not.

mod backend;
mod kind;
mod row;
mod tables;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use waxwing_app::ports::{Bounds, Consistency, Guard, PortError, Query, Records, Row, SecretBox, Write};
use waxwing_domain::{AccountId, Lid, PhoneNumber, SessionId};

pub(crate) use backend::SignalBackend;
use row::{HEADER, Owner};
use tables::Tables;
use writer::{Call, Target};

/// Calls that may wait for the writer; a further one waits for room.
const CALLS_MAX: usize = 256;
/// Rows read at once.
const PAGE_LEN: usize = 1000;
/// Rows removed at once, next to the check of the fence.
const ERASE_LEN: usize = 99;
/// Changes that may wait for the next durable write; past it they cause one.
const WAITING_MAX: usize = 64;
/// How long they wait where no other write follows: the library writes ratchets within 25 ms.
const LINGER: Duration = Duration::from_secs(1);

/// Why a state cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A later placement of the session has claimed the state.
    #[error("the session was claimed under epoch {current}, later than {wanted}")]
    Fenced {
        /// The epoch that was asked for.
        wanted: u64,
        /// The epoch in force.
        current: u64,
    },
    /// The engine.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Why a state cannot be written any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Poison {
    /// Another host opened the state.
    #[error("another host has claimed the session")]
    Fenced,
    /// The engine could not write.
    #[error("a write failed: {0}")]
    WriteFailed(String),
    /// The connection was aborted.
    #[error("the connection was aborted")]
    Abandoned,
    /// The state was erased.
    #[error("the Signal state was erased")]
    Erased,
}

/// Handle to a session's Signal state. Clones are the same state.
#[derive(Clone)]
pub struct SignalState {
    store: Arc<Store>,
}

/// Shared by the handles, the library's backend and the writer.
pub(crate) struct Store {
    owner: Owner,
    records: Arc<dyn Records>,
    /// The header row's version that this opening holds.
    fence: AtomicU64,
    tables: Mutex<Tables>,
    calls: mpsc::Sender<Call>,
    poison: watch::Sender<Option<Poison>>,
}

impl SignalState {
    /// Claims the state for `epoch`, the epoch of the session's placement, and loads it. From here on every earlier
    /// opening of the same state is fenced: its writes fail. Needs a tokio runtime, for the task that writes.
    pub async fn open(
        records: Arc<dyn Records>,
        secrets: Arc<dyn SecretBox>,
        account: AccountId,
        session: SessionId,
        epoch: u64,
    ) -> Result<Self, StateError> {
        let owner = Owner { account, session };
        let fence = claim(records.as_ref(), owner, epoch).await?;
        let tables = load(records.as_ref(), secrets.as_ref(), owner).await?;
        let (calls, queue) = mpsc::channel(CALLS_MAX);
        let store = Arc::new(Store {
            owner,
            records: Arc::clone(&records),
            fence: AtomicU64::new(fence),
            tables: Mutex::new(tables),
            calls,
            poison: watch::Sender::new(None),
        });
        let target = Target { records, secrets, owner, fence };
        tokio::spawn(writer::run(target, queue, Arc::downgrade(&store)));
        Ok(Self { store })
    }

    /// The tenant.
    pub fn account(&self) -> AccountId {
        self.store.owner.account
    }

    /// The session.
    pub fn session(&self) -> SessionId {
        self.store.owner.session
    }

    /// True when a phone has linked the device that this state belongs to.
    pub fn is_paired(&self) -> bool {
        backend::is_paired(&self.store.tables())
    }

    /// Why the state cannot be written any more.
    pub fn poison(&self) -> Option<Poison> {
        self.store.poison()
    }

    /// Returns when the state cannot be written any more.
    pub async fn poisoned(&self) -> Poison {
        let mut watch = self.store.poison.subscribe();
        loop {
            if let Some(poison) = watch.borrow_and_update().clone() {
                return poison;
            }
            if watch.changed().await.is_err() {
                // The sender lives in the store, which this handle keeps.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Makes everything durable, also what could have waited.
    pub async fn flush(&self) -> Result<(), Poison> {
        self.store.change(Durability::Everything, |_| ()).await
    }

    /// Sees that what waits becomes durable also where no other write follows.
    fn linger(&self) {
        if std::mem::replace(&mut self.store.tables().lingers, true) {
            return;
        }
        let store = Arc::downgrade(&self.store);
        tokio::spawn(async move {
            tokio::time::sleep(LINGER).await;
            if let Some(store) = store.upgrade() {
                store.tables().lingers = false;
                if let Err(poison) = store.change(Durability::Everything, |_| ()).await {
                    tracing::debug!(%poison, "what waited is not written");
                }
            }
        });
    }

    /// Removes the state for good: after a logout, or with the session. The number of the fence stays, so that no
    /// writer from before can match it.
    pub async fn erase(&self) -> Result<(), StateError> {
        self.store.poison_with(Poison::Erased);
        let owner = self.store.owner;
        // A write that is on its way must not land behind the removal.
        let fence = self.store.fence.load(Ordering::Acquire);
        let header = Row {
            key: owner.header_key(),
            value: 0_u64.to_be_bytes().to_vec(),
            version: fence + 1,
            indexes: Vec::new(),
            expires_at: None,
        };
        self.store.records.write_all(vec![Write::Put(header, Guard::Exactly(fence))]).await?;
        self.store.fence.store(fence + 1, Ordering::Release);
        let check = || Write::Check(owner.header_key(), Guard::Exactly(fence + 1));
        loop {
            let bounds = Bounds { after: Some(HEADER.to_owned()), before: None };
            let (partition, limit) = (owner.partition(), ERASE_LEN);
            let query = Query { index: 0, partition, bounds, descending: false, limit };
            let rows = self.store.records.query(query).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let removals = rows.into_iter().map(|row| Write::Delete(row.key, Guard::Always));
            self.store.records.write_all(std::iter::once(check()).chain(removals).collect()).await?;
        }
    }

    /// Lets nothing be written any more.
    pub(crate) fn abandon(&self) {
        self.store.poison_with(Poison::Abandoned);
    }

    pub(crate) fn lid_of(&self, phone: &PhoneNumber) -> Option<Lid> {
        self.store.tables().lid_of(phone.digits()).and_then(|lid| Lid::parse(lid).ok())
    }

    pub(crate) fn phone_of(&self, lid: &Lid) -> Option<PhoneNumber> {
        let mapping = backend::lid_mapping(&self.store.tables(), lid.digits())?;
        PhoneNumber::parse(&mapping.phone_number).ok()
    }
}

/// When a change has to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Before the call returns.
    Now,
    /// Soon, without being waited for; in order.
    Soon,
    /// Before the call returns, with everything that could have waited.
    Everything,
}

impl Store {
    pub(crate) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn poison(&self) -> Option<Poison> {
        self.poison.borrow().clone()
    }

    /// Poisons the state; the first reason stays.
    pub(crate) fn poison_with(&self, reason: Poison) {
        self.poison.send_if_modified(|poison| {
            let first = poison.is_none();
            if first {
                *poison = Some(reason);
            }
            first
        });
    }

    /// The writer made that many calls durable.
    pub(crate) fn settled(&self, calls: usize) {
        let mut tables = self.tables();
        tables.in_flight = tables.in_flight.saturating_sub(calls);
    }

    /// Changes the state in memory and hands the changes to the writer, both in one step, so that calls become durable
    /// in the order in which they changed memory.
    pub(crate) async fn change<R>(
        &self,
        durability: Durability,
        change: impl FnOnce(&mut Tables) -> R,
    ) -> Result<R, Poison> {
        // A dead writer drops its end of the channel; the reason stands in the poison.
        let room = self.calls.reserve().await.map_err(|_| self.poison().unwrap_or(Poison::Abandoned))?;
        let mut waits = None;
        let result = {
            let mut tables = self.tables();
            if let Some(poison) = self.poison() {
                return Err(poison);
            }
            let result = change(&mut tables);
            let everything = durability == Durability::Everything || tables.waiting_len() > WAITING_MAX;
            let changes = tables.take_log(everything);
            // A call that changed nothing still waits for those before it, on which it may rest.
            if !changes.is_empty() || tables.in_flight > 0 {
                let (done, durable) = oneshot::channel();
                tables.in_flight += 1;
                room.send(Call { changes, done: Some(done) });
                waits = Some(durable);
            }
            result
        };
        if let Some(durable) = waits
            && durability != Durability::Soon
            && durable.await.is_err()
        {
            return Err(self.poison().unwrap_or(Poison::Abandoned));
        }
        Ok(result)
    }
}

/// Takes the state over: raises the fence, so that every writer from before fails.
async fn claim(records: &dyn Records, owner: Owner, epoch: u64) -> Result<u64, StateError> {
    let key = owner.header_key();
    let current = records.get(&key, Consistency::Strong).await?;
    let (fence, guard) = match &current {
        None => (1, Guard::Absent),
        Some(row) => {
            let current = <[u8; 8]>::try_from(row.value.as_slice()).map(u64::from_be_bytes);
            let current =
                current.map_err(|_| PortError::Corrupt("the header of a session's Signal state".into()))?;
            if current > epoch {
                return Err(StateError::Fenced { wanted: epoch, current });
            }
            (row.version + 1, Guard::Exactly(row.version))
        },
    };
    let value = epoch.to_be_bytes().to_vec();
    let row = Row { key, value, version: fence, indexes: Vec::new(), expires_at: None };
    records.write_all(vec![Write::Put(row, guard)]).await?;
    Ok(fence)
}

async fn load(records: &dyn Records, secrets: &dyn SecretBox, owner: Owner) -> Result<Tables, StateError> {
    let mut tables = Tables::default();
    let mut after = HEADER.to_owned();
    loop {
        let bounds = Bounds { after: Some(after), before: None };
        let query =
            Query { index: 0, partition: owner.partition(), bounds, descending: false, limit: PAGE_LEN };
        let rows = records.query(query).await?;
        for row in &rows {
            let (kind, key, value) = owner.open(secrets, row).await?;
            tables.restore(kind, &key, value);
        }
        match rows.into_iter().next_back() {
            Some(last) => after = last.key.sort,
            None => break,
        }
    }
    backend::index_lids(&mut tables);
    Ok(tables)
}
