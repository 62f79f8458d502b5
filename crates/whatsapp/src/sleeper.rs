//! How the client waits: by the machine's clock, or by one that a test holds.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use wacore::runtime::{AbortHandle, Runtime};
use whatsapp_rust::TokioRuntime;

/// Something that the client does in the background, or waits for.
type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Decides when the client's pauses and time-outs are over: how long a code is shown, how often it says that it is there.
pub trait Sleeper: Send + Sync + 'static {
    /// Returns after this time.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The usual runtime with another idea of time.
pub(crate) struct SleeperRuntime(pub(crate) Arc<dyn Sleeper>);

impl Runtime for SleeperRuntime {
    fn spawn(&self, future: Boxed) -> AbortHandle {
        TokioRuntime.spawn(future)
    }

    fn spawn_detached(&self, future: Boxed) {
        TokioRuntime.spawn_detached(future);
    }

    fn sleep(&self, duration: Duration) -> Boxed {
        self.0.sleep(duration)
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send + 'static>) -> Boxed {
        TokioRuntime.spawn_blocking(work)
    }

    fn yield_now(&self) -> Option<Boxed> {
        TokioRuntime.yield_now()
    }
}
