//! A turn: what one piece of work sees of the engine.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use wacore_binary::Node;

use crate::engine::Shared;
use crate::error::Failure;
use crate::live::{Address, ConnectionId, Live, Writer};
use crate::presence;
use crate::store::Query;

/// Something for the outside, held back until the commit.
pub(crate) enum Effect {
    Send(Writer, Box<Node>),
    Close(Writer),
    Then(Box<dyn FnOnce(bool) + Send>),
}

/// Lent to each piece of work.
pub(crate) struct Turn<'t> {
    pub db: &'t Connection,
    pub live: &'t mut Live,
    pub shared: &'t Shared,
    pub now: i64,
    effects: &'t mut Vec<Effect>,
}

impl<'t> Turn<'t> {
    pub(crate) fn new(
        db: &'t Connection,
        live: &'t mut Live,
        shared: &'t Shared,
        effects: &'t mut Vec<Effect>,
    ) -> Self {
        let now = (shared.options.clock)();
        Self { db, live, shared, now, effects }
    }

    /// Runs the work; when it fails, nothing of it is stored or said.
    pub(crate) fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Turn<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.db.prepare_cached("SAVEPOINT work")?.execute([])?;
        let said = self.effects.len();
        let result = work(self);
        if result.is_err() {
            self.effects.truncate(said);
            // The lengths may count rows that are gone again.
            self.live.queued.clear();
            self.db.prepare_cached("ROLLBACK TO work")?.execute([])?;
        }
        self.db.prepare_cached("RELEASE work")?.execute([])?;
        result
    }

    pub(crate) fn after_commit(&mut self, then: impl FnOnce(bool) + Send + 'static) {
        self.effects.push(Effect::Then(Box::new(then)));
    }

    /// Says something to a socket.
    pub(crate) fn send(&mut self, connection: ConnectionId, node: Node) {
        if let Some(socket) = self.live.sockets.get(&connection) {
            self.effects.push(Effect::Send(socket.writer.clone(), Box::new(node)));
        }
    }

    /// Closes a socket after what was said to it.
    pub(crate) fn close(&mut self, connection: ConnectionId) {
        if let Some(socket) = self.live.sockets.get(&connection) {
            self.effects.push(Effect::Close(socket.writer.clone()));
            if let Err(failure) = presence::left(self, connection) {
                tracing::warn!(%failure, "nobody is told that somebody went");
            }
            self.live.forget(connection);
        }
    }

    /// The socket on which a device takes its stanzas, if it does.
    pub(crate) fn active_socket(&self, address: Address) -> Option<ConnectionId> {
        let connection = *self.live.by_address.get(&address)?;
        self.live.sockets.get(&connection)?.active.then_some(connection)
    }

    /// A generator of its own for one operation, drawn from the network's. What it gives depends on how often somebody
    /// drew before; for what others see see [`Self::next_of`].
    pub(crate) fn generator(&mut self, network: i64) -> Result<StdRng, Failure> {
        if !self.live.generators.contains_key(&network) {
            let seed = self.seed(network)?.finalize().into();
            self.live.generators.insert(network, StdRng::from_seed(seed));
        }
        let generator =
            self.live.generators.get_mut(&network).ok_or_else(|| Failure::protocol("no generator"))?;
        Ok(StdRng::from_seed(generator.random()))
    }

    /// A generator for the next thing of one owner that others see: its messages, say. The n-th of them is the same in
    /// every run of the same seed, whatever clients asked for in between, and in which order.
    pub(crate) fn next_of(
        &mut self,
        network: i64,
        things: &'static str,
        owner: &str,
    ) -> Result<StdRng, Failure> {
        let count = self.live.series.entry((network, things, owner.into())).or_default();
        *count += 1;
        let count = *count;
        let seed = self.seed(network)?;
        let seed = seed.chain_update(things).chain_update([0_u8]).chain_update(owner).chain_update([0_u8]);
        Ok(StdRng::from_seed(seed.chain_update(count.to_be_bytes()).finalize().into()))
    }

    /// The network's seed, mixed with how often its file was opened: nothing that was given before comes again.
    fn seed(&self, network: i64) -> Result<Sha256, Failure> {
        let sql = "SELECT seed, epoch FROM network WHERE id = ?";
        let (seed, epoch) = self
            .db
            .one(sql, [network], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?)))?
            .ok_or_else(|| Failure::protocol("no such network"))?;
        Ok(Sha256::new().chain_update(&seed).chain_update(epoch.to_be_bytes()))
    }

    /// An id for a stanza that the network itself makes.
    pub(crate) fn stanza_id(&mut self, network: i64) -> Result<String, Failure> {
        Ok(format!("{:016x}", self.generator(network)?.random::<u64>()))
    }
}
