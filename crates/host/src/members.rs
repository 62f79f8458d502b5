//! What a host knows of the others: which sessions belong to it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};
use waxwing_app::{
    fleet::Fleet,
    ports::{PortError, Records},
};
use waxwing_domain::SessionId;

/// The hosts that share the sessions, this one among them.
pub(crate) struct Members {
    records: Arc<dyn Records>,
    /// This host's name where it is one of several. One that is alone is everybody's home.
    me: Option<String>,
    known: watch::Sender<Fleet>,
    /// When the last reading began.
    read_at: Mutex<Option<Instant>>,
    draining: AtomicBool,
    outdated: AtomicBool,
    /// Held while this host's own row is written.
    pub(crate) row: Mutex<()>,
}

impl Members {
    pub(crate) fn new(records: Arc<dyn Records>, me: Option<String>) -> Self {
        let (known, read_at) = (watch::Sender::default(), Mutex::default());
        let (draining, outdated) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { records, me, known, read_at, draining, outdated, row: Mutex::default() }
    }

    /// This host takes no session any more.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether WhatsApp refused the client at another host, as far as is known.
    pub(crate) fn are_outdated(&self) -> bool {
        self.outdated.load(Ordering::Acquire)
    }

    /// Whether there may be others.
    pub(crate) fn are_several(&self) -> bool {
        self.me.is_some()
    }

    /// Whether the session belongs to this host, as far as is known.
    pub(crate) fn is_home(&self, session: SessionId) -> bool {
        match &self.me {
            None => true,
            Some(_) if self.is_draining() => false,
            Some(me) => self.known.borrow().home(session).is_some_and(|(home, _)| home == me),
        }
    }

    /// The same, and asks the engine before it says no: a hint may be newer than what is known.
    pub(crate) async fn is_home_now(&self, session: SessionId) -> Result<bool, PortError> {
        if self.is_home(session) {
            return Ok(true);
        }
        self.refresh().await?;
        Ok(self.is_home(session))
    }

    /// Reads who lives. Calls at the same time share a reading.
    pub(crate) async fn refresh(&self) -> Result<(), PortError> {
        let asked = Instant::now();
        let mut read_at = self.read_at.lock().await;
        if read_at.is_some_and(|began| began >= asked) {
            return Ok(());
        }
        let began = Instant::now();
        let fleet = Fleet::read(&*self.records).await?;
        let outdated = self.me.as_ref().is_some_and(|me| fleet.is_outdated_beside(me));
        self.outdated.store(outdated, Ordering::Release);
        *read_at = Some(began);
        self.known.send_if_modified(|known| {
            let changed = !known.open().eq(fleet.open());
            if changed {
                *known = fleet;
            }
            changed
        });
        Ok(())
    }

    /// Changes when sessions may have another home.
    pub(crate) fn changes(&self) -> watch::Receiver<Fleet> {
        self.known.subscribe()
    }
}
