//! Trying again, for work that nobody waits for by the second.

use std::time::Duration;

use crate::ports::PortError;

/// Each try is several tries of the engine. With the pauses between them, an outage of some twenty seconds ends nothing.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// How long one piece of work is still tried again.
#[derive(Debug)]
pub struct Patience {
    failures: u32,
    pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { failures: 0, pause: FIRST_PAUSE }
    }
}

impl Patience {
    /// Waits for the next try, where the failure may pass; else, and after too many of them, it is given back.
    pub async fn after(&mut self, error: PortError) -> Result<(), PortError> {
        self.failures += 1;
        if !error.is_transient() || self.failures >= TRIES {
            return Err(error);
        }
        tracing::warn!(%error, "trying again");
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }
}
