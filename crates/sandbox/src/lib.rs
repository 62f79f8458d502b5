//! A simulated WhatsApp network that speaks the real protocol.
//!
//! The real, unmodified client library connects to it over WebSocket, Noise, binary nodes and Signal;
//! phones and contacts inside it hold keys of their own. Each account has a network of its own, found by
//! an unguessable token in the WebSocket's path.
//!
//! One thread, the engine, owns one SQLite file and does everything in turns; what it says goes out after
//! the commit. So what a client, a phone or a test has seen survives a killed process.

mod actions;
mod app_state;
mod calls;
mod chat_change;
mod clock;
mod code_pairing;
mod content;
mod control;
mod deliver;
mod devices;
mod engine;
mod error;
mod faults;
mod groups;
mod handshake;
mod history;
mod idempotency;
mod identity;
mod inbox;
mod incoming;
mod iq;
mod kinds;
mod ledger;
pub mod limits;
mod live;
mod login;
mod media;
mod message;
mod network;
mod outgoing;
mod pairing;
mod people;
mod phone_handle;
mod phones;
mod presence;
mod receipt;
mod retry;
mod schedule;
mod seeded;
mod signal;
mod socket;
mod stanza;
mod store;
mod turn;

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::sync::Semaphore;
use waxwing_signed_http::Verifier;

pub use actions::Content;
pub use calls::CallInfo;
pub use chat_change::ChatChange;
pub use clock::{Clock, ManualClock, SeedSource};
pub use error::{OpenError, Refusal};
pub use faults::{Fault, FaultRequest};
pub use groups::{GroupChange, GroupInfo, JoinAnswer, JoinRequest, MemberChange, MemberInfo, NewGroup};
pub use inbox::InboxEntry;
pub use kinds::{NewContact, NewFile, NewMessage, NewPreview, NewSpot};
pub use ledger::LedgerEntry;
pub use media::{Kind as MediaKind, MediaInfo, NewMedia};
pub use network::{BehaviourChange, Network, NetworkInfo, Page, PageRequest, PhoneInfo, SentMessage};
pub use people::{BusinessProfile, CompanionInfo, ProfileChange, ProfileInfo};
pub use phone_handle::PhoneHandle;
pub use phones::{Behaviour, Reply};
pub use seeded::SeededNetwork;

use engine::{Engine, Shared};
use identity::ServerIdentity;

/// What the process gives the sandbox.
#[derive(Clone)]
pub struct Options {
    /// Unix milliseconds.
    pub clock: Clock,
    /// Drawn from once for the server's keys, and once for each new network.
    pub seed: SeedSource,
    /// Time between the handshake and the first stanza. Some clients lose a stanza that comes at once.
    pub first_stanza_delay: Duration,
}

impl Options {
    /// With the delay that a near network has: 15 ms.
    #[must_use]
    pub fn new(clock: Clock, seed: SeedSource) -> Self {
        Self { clock, seed, first_stanza_delay: Duration::from_millis(15) }
    }
}

/// Many networks in one file.
#[derive(Clone)]
pub struct Sandbox {
    engine: Engine,
}

impl Sandbox {
    /// Opens `sandbox.db` in the folder, and makes both when they are missing.
    ///
    /// # Errors
    /// A file of another version, a damaged one, or one that another process has.
    pub fn open(data_dir: &Path, options: Options) -> Result<Self, OpenError> {
        Self::start(Some(data_dir), options)
    }

    /// A sandbox that forgets everything.
    ///
    /// # Errors
    /// SQLite or the thread could not be started.
    pub fn in_memory(options: Options) -> Result<Self, OpenError> {
        Self::start(None, options)
    }

    fn start(folder: Option<&Path>, options: Options) -> Result<Self, OpenError> {
        let db = store::open(folder)?;
        let identity = ServerIdentity::load(&db, || (options.seed)())?;
        let engine =
            Engine::start(db, Shared { identity, options, uploads: Semaphore::new(limits::UPLOADS) })
                .map_err(OpenError::Folder)?;
        Ok(Self { engine })
    }

    /// Three things under one router: the WebSocket at `/{token}/ws/chat`, media under `/mms`, `/o1/v` and `/pps`, and
    /// the signed control API under `/internal/networks`.
    pub fn router(&self, verifier: Verifier) -> Router {
        self.client_router().merge(control::routes(self.engine.clone(), verifier))
    }

    /// The same without the control API: what clients reach.
    fn client_router(&self) -> Router {
        Router::new()
            .route("/{token}/ws/chat", get(socket::upgrade))
            .merge(media::routes())
            .merge(people::picture_routes())
            .with_state(self.engine.clone())
    }

    /// The network of an account.
    #[must_use]
    pub fn network(&self, account: &str) -> Network {
        Network::new(self.engine.clone(), account.to_owned())
    }

    /// Looks at the clock again: for tests that advanced it.
    pub fn wake(&self) {
        self.engine.wake();
    }

    /// Finishes what was begun, closes every socket and the file.
    pub async fn shutdown(&self) {
        self.engine.stop().await;
    }

    /// Stops at once, as a killed process does: nothing is finished, and the file is closed as it is.
    pub fn abort(&self) {
        self.engine.abort();
    }
}
