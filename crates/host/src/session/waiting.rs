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
            self.report_long_drop().await?;
            let grace = self.dropped_at.map(|at| at + self.shared.settings.grace);
            tokio::select! {
                () = &mut admitted => return Ok(true),
                () = sleep_until(grace.unwrap_or_else(Instant::now)), if grace.is_some() => {}
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
        // A session that was not connected has no grace: there is nothing that may come back unnoticed.
        if self.dropped_at.is_none() {
            self.live.say(SessionStatus::Reconnecting, Some(self.drop_reason), None).await;
        }
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

    /// A session that was connected and is not for longer than the grace is reported, once.
    pub(super) async fn report_long_drop(&mut self) -> Result<(), PortError> {
        if self.dropped_at.is_some_and(|at| at.elapsed() >= self.shared.settings.grace) {
            let reason = if self.shared.admission.is_held() { OUTDATED } else { self.drop_reason };
            self.record_status(SessionStatus::Reconnecting, Some(reason)).await?;
            self.live.say(SessionStatus::Reconnecting, Some(reason), None).await;
            self.dropped_at = None;
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
