//! Connections for reads. Each read sees a snapshot that includes every write answered before.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use waxwing_app::ports::PortError;

use crate::{
    failure::{Stop, port_error},
    schema,
    writer::closed,
};

/// Reads at the same time. More would wait for the same disk and processors.
const CONNECTIONS: usize = 4;

/// The pool. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Readers {
    pool: Arc<Pool>,
    permits: Arc<Semaphore>,
}

struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    is_closed: AtomicBool,
}

/// A borrowed connection; goes back to the pool when dropped, also when its reader was cancelled or panicked.
struct Borrowed {
    connection: Option<Connection>,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        let pool = Pool { path, idle: Mutex::default(), is_closed: AtomicBool::new(false) };
        Self { pool: Arc::new(pool), permits: Arc::new(Semaphore::new(CONNECTIONS)) }
    }

    /// Runs `read` on a thread where it may take its time.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, PortError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| closed())?;
        let pool = Arc::clone(&self.pool);
        let task = tokio::task::spawn_blocking(move || pool.borrow(permit)?.run(read));
        task.await.map_err(|error| PortError::Unavailable(format!("a read did not finish: {error}")))?
    }

    /// Refuses later reads and closes the connections.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.pool.is_closed.store(true, Ordering::SeqCst);
        self.pool.idle().clear();
    }
}

impl Pool {
    fn borrow(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Result<Borrowed, PortError> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::open_readable(&self.path).map_err(|error| port_error(&error))?,
        };
        Ok(Borrowed { connection: Some(connection), pool: Arc::clone(self), _permit: permit })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        // The list is whole at every moment, whatever panicked while it was held.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Borrowed {
    fn run<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Stop>) -> Result<T, PortError> {
        let connection = self.connection.as_ref().expect("taken only when dropped");
        read(connection).map_err(PortError::from)
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let mut idle = self.pool.idle();
        if !self.pool.is_closed.load(Ordering::SeqCst) {
            idle.extend(self.connection.take());
        }
    }
}
