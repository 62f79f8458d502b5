//! The library's storage traits on the state in memory. Reads never wait; writes return when they are durable.

mod app_sync;
mod device;
mod message_secrets;
mod protocol;
mod signal;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wacore::store::error::{Result, StoreError};
use waxwing_app::ports::Clock;
use waxwing_domain::Timestamp;

use super::kind::Kind;
use super::tables::Tables;
use super::{Durability, Poison, SignalState};

pub(crate) use device::is_paired;
pub(crate) use protocol::{index_lids, lid_mapping};

/// The only row of its kind.
const ONLY: &str = "";

/// A session's state as the library wants it.
pub(crate) struct SignalBackend {
    state: SignalState,
    clock: Arc<dyn Clock>,
}

impl SignalBackend {
    pub(crate) fn new(state: SignalState, clock: Arc<dyn Clock>) -> Self {
        Self { state, clock }
    }

    /// Reads from memory.
    fn read<R>(&self, read: impl FnOnce(&Tables) -> R) -> R {
        read(&self.state.store.tables())
    }

    /// Changes memory and returns when the change is durable.
    async fn write<R>(&self, change: impl FnOnce(&mut Tables) -> R) -> Result<R> {
        self.state.store.change(Durability::Now, change).await.map_err(refused)
    }

    /// Changes memory; the change becomes durable in order, and nobody waits for it.
    async fn write_soon<R>(&self, change: impl FnOnce(&mut Tables) -> R) -> Result<R> {
        self.state.store.change(Durability::Soon, change).await.map_err(refused)
    }

    /// Changes memory; what the change lets wait becomes durable with the next durable write, or a second later by itself.
    async fn write_with_next<R>(&self, change: impl FnOnce(&mut Tables) -> R) -> Result<R> {
        let result = self.write_soon(change).await?;
        self.state.linger();
        Ok(result)
    }

    fn now_secs(&self) -> i64 {
        self.clock.now().as_second()
    }
}

fn refused(poison: Poison) -> StoreError {
    StoreError::Connection(Box::new(poison))
}

/// A key of several parts. The parts are addresses and ids, which have no bar.
fn compound(parts: &[&str]) -> String {
    parts.join("|")
}

fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| StoreError::Serialization(Box::new(error)))
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::Serialization(Box::new(error)))
}

/// The JSON value of a row.
fn json_row<T: DeserializeOwned>(tables: &Tables, kind: Kind, key: &str) -> Result<Option<T>> {
    tables.get(kind, key).map(from_json).transpose()
}

/// When a row that was written at `secs` is of no use any more.
fn expiry(secs: i64, lifetime_secs: i64) -> Option<Timestamp> {
    Timestamp::from_second(secs.saturating_add(lifetime_secs)).ok()
}

/// A value behind the second in which it was written.
fn stamped(secs: i64, value: &[u8]) -> Box<[u8]> {
    let mut stamped = Vec::with_capacity(8 + value.len());
    stamped.extend_from_slice(&secs.to_be_bytes());
    stamped.extend_from_slice(value);
    stamped.into()
}

/// What [`stamped`] put together.
fn unstamped(stamped: &[u8]) -> Option<(i64, &[u8])> {
    let (secs, value) = stamped.split_first_chunk::<8>()?;
    Some((i64::from_be_bytes(*secs), value))
}
