//! Whether the network is still there: a socket that is open proves nothing.

use std::{sync::Arc, time::Duration};

use tokio::{sync::oneshot, time::Instant};
use waxwing_whatsapp::Connection;

use super::{Open, Session, connected::Run};

/// A question to the network, one at a time.
#[derive(Default)]
pub(super) struct Probe(Option<oneshot::Receiver<bool>>);

impl Probe {
    /// Asks, unless a question waits for its answer.
    pub(super) fn ask(&mut self, connection: &Arc<Connection>, timeout: Duration) {
        if self.0.is_some() {
            return;
        }
        let (answered, answer) = oneshot::channel();
        let connection = connection.clone();
        tokio::spawn(async move { answered.send(connection.probe(timeout).await) });
        self.0 = Some(answer);
    }

    /// Returns when there is an answer, or none came in time; never while nothing is asked.
    pub(super) async fn answered(&mut self) -> bool {
        match &mut self.0 {
            None => std::future::pending().await,
            Some(answer) => {
                let answered = answer.await.unwrap_or(false);
                self.0 = None;
                answered
            },
        }
    }
}

impl Session {
    /// When the network will have been silent for too long, unless it is being asked.
    pub(super) fn silent_at(&self, open: &Open, run: &Run) -> Option<Instant> {
        if !run.connected || run.probe.0.is_some() {
            return None;
        }
        let heard = open.connection.last_frame_at()?;
        let silent =
            Duration::try_from(self.shared.ports.clock.now().duration_since(heard)).unwrap_or_default();
        Some(Instant::now() + self.shared.settings.silence.saturating_sub(silent))
    }
}
