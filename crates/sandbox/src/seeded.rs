//! A network of its own for one test: in memory, on a clock that the test advances, everything in it from one seed.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use sha2::{Digest, Sha256};

use crate::clock::ManualClock;
use crate::error::{OpenError, Refusal};
use crate::network::Network;
use crate::store::Query;
use crate::{Options, Sandbox};

/// When a seeded network begins: 2026-01-01 00:00 UTC, in Unix milliseconds.
const BEGIN_MS: i64 = 1_767_225_600_000;
const ACCOUNT: &str = "seeded";

/// A network in memory that nothing but its seed and what is done with it decides. It is a [`Network`], too.
#[derive(Clone)]
pub struct SeededNetwork {
    sandbox: Sandbox,
    network: Network,
    clock: ManualClock,
}

impl Network {
    /// A network in memory. Phones have the same keys, addresses and messages' ids whenever the same is done with a
    /// network of the same seed, and so the same ledger.
    ///
    /// # Errors
    /// SQLite or the thread could not be started.
    pub fn seeded(seed: u64) -> Result<SeededNetwork, OpenError> {
        let clock = ManualClock::at(BEGIN_MS);
        let drawn = AtomicU64::new(0);
        let source = Arc::new(move || -> [u8; 32] {
            let place = drawn.fetch_add(1, Ordering::Relaxed);
            Sha256::new().chain_update(seed.to_be_bytes()).chain_update(place.to_be_bytes()).finalize().into()
        });
        let sandbox = Sandbox::in_memory(Options::new(clock.clock(), source))?;
        Ok(SeededNetwork { network: sandbox.network(ACCOUNT), sandbox, clock })
    }
}

impl SeededNetwork {
    /// What clients connect to: the WebSocket and files, without the control API.
    pub fn router(&self) -> Router {
        self.sandbox.client_router()
    }

    /// Lets time pass, in milliseconds, and waits until everything is done that became due, also what follows from it
    /// at once.
    ///
    /// # Errors
    /// An engine that has stopped.
    pub async fn advance(&self, ms: i64) -> Result<(), Refusal> {
        self.clock.advance(ms);
        let sql = "SELECT count(*) FROM action WHERE due_at <= ?";
        // What is due is done at the end of each turn, some of it at a time.
        while self.network.call(move |turn, _| Ok(turn.db.number(sql, [turn.now])?)).await? > 0 {}
        Ok(())
    }
}

impl Deref for SeededNetwork {
    type Target = Network;
    fn deref(&self) -> &Network {
        &self.network
    }
}
