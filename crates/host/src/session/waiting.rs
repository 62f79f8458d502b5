//! What a session does while it has no connection and wants one.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use waxwing_app::ports::PortError;
use waxwing_domain::session::SessionStatus;

use super::{OUTDATED, Poke, Session, fenced};

impl Session {
    /// Waits until the host lets this session connect. False when the wish changed or the host stops meanwhile.
    pub(super) async fn admitted(&mut self, generation: u64) -> Result<bool, PortError> {
        let shared = self.shared.clone();
        if shared.admission.is_held() {
            self.live.say(SessionStatus::Reconnecting, Some(OUTDATED), None).await;
        }
        let mut admitted = std::pin::pin!(shared.admission.admitted());
        loop {
            tokio::select! {
                () = &mut admitted => return Ok(true),
                () = fenced(&mut self.alive) => return Ok(false),
                _ = self.stop.changed() => return Ok(false),
                poke = self.pokes.recv() => if !self.goes_on(poke, generation).await? {
                    return Ok(false);
                },
            }
        }
    }

    /// Waits before a reconnect. Past the grace the drop becomes news. False when the wish changed meanwhile.
    pub(super) async fn pause_before_reconnect(
        &mut self,
        pause: Duration,
        generation: u64,
    ) -> Result<bool, PortError> {
        let until = Instant::now() + pause;
        loop {
            self.report_long_drop().await?;
            let grace = self.dropped_at.map_or(until, |at| at + self.shared.settings.grace);
            tokio::select! {
                () = sleep_until(until) => return Ok(true),
                () = fenced(&mut self.alive) => return Ok(false),
                () = sleep_until(grace), if grace < until && grace > Instant::now() => {}
                _ = self.stop.changed() => return Ok(false),
                poke = self.pokes.recv() => if !self.goes_on(poke, generation).await? {
                    return Ok(false);
                },
            }
        }
    }

    /// A session that was connected and is not for longer than the grace is reported.
    pub(super) async fn report_long_drop(&mut self) -> Result<(), PortError> {
        let over = self.dropped_at.is_some_and(|at| at.elapsed() >= self.shared.settings.grace);
        if over && self.live.status() != Some(SessionStatus::Reconnecting) {
            self.record_status(SessionStatus::Reconnecting, Some("connection_lost")).await?;
            self.live.say(SessionStatus::Reconnecting, Some("connection_lost"), None).await;
        }
        Ok(())
    }

    /// What a hint means while there is no connection: false when the wish changed, or the host is gone.
    async fn goes_on(&mut self, poke: Option<Poke>, generation: u64) -> Result<bool, PortError> {
        if poke.is_none() {
            return Ok(false);
        }
        self.look().await?;
        Ok(self.still_wanted(generation))
    }
}
