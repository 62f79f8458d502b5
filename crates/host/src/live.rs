//! The row that says what a session is doing right now.

use std::sync::Arc;

use jiff::Timestamp;
use waxwing_app::{
    keys,
    ports::{Guard, PortError, Records, Write},
    rows,
    views::{Health, HealthState, LiveSession, QrCode},
};
use waxwing_domain::{AccountId, SessionId, session::SessionStatus};

use crate::census::Sessions;

/// Writes the live row of one session, when it says something new.
pub(crate) struct Live {
    records: Arc<dyn Records>,
    account: AccountId,
    session: SessionId,
    last: Option<LiveSession>,
    sessions: Sessions,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.sessions.lost_sight_of(self.session);
    }
}

impl Live {
    pub(crate) fn new(
        records: Arc<dyn Records>,
        account: AccountId,
        session: SessionId,
        sessions: Sessions,
    ) -> Self {
        Self { records, account, session, last: None, sessions }
    }

    pub(crate) fn status(&self) -> Option<SessionStatus> {
        self.last.as_ref().map(|live| live.status)
    }

    /// Says what the session is doing. A failure is logged: the row is a courtesy, no fact.
    pub(crate) async fn say(&mut self, status: SessionStatus, reason: Option<&str>, qr: Option<QrCode>) {
        let known = self.last.as_ref().map(|live| live.health.clone()).unwrap_or_default();
        let connects = matches!(status, SessionStatus::Connecting | SessionStatus::Reconnecting);
        let health = match known.state {
            // Until it hears again.
            HealthState::Deaf if connects => known,
            _ => Health {
                state: match status {
                    SessionStatus::Reconnecting => HealthState::Reconnecting,
                    SessionStatus::Restricted => HealthState::Restricted,
                    _ => HealthState::Healthy,
                },
                last_frame_at: known.last_frame_at,
                reason: reason.map(str::to_owned),
            },
        };
        self.write(LiveSession { status, reason: reason.map(str::to_owned), health, qr }).await;
    }

    /// Counts when the last frame came, without writing it.
    pub(crate) fn count(&mut self, last_frame_at: Option<Timestamp>) {
        if let Some(live) = &self.last {
            self.sessions.heard(self.session, live, last_frame_at);
        }
    }

    /// Says when the last frame came.
    pub(crate) async fn heard(&mut self, last_frame_at: Option<Timestamp>) {
        if let Some(mut live) = self.last.clone() {
            live.health.last_frame_at = last_frame_at;
            self.write(live).await;
        }
    }

    /// Says that the socket is open and nothing is heard.
    pub(crate) async fn deaf(&mut self, last_frame_at: Option<Timestamp>) {
        if let Some(mut live) = self.last.clone() {
            let reason = Some("no_answer".to_owned());
            live.health = Health { state: HealthState::Deaf, last_frame_at, reason };
            self.write(live).await;
        }
    }

    async fn write(&mut self, live: LiveSession) {
        if self.last.as_ref() == Some(&live) {
            return;
        }
        self.sessions.saw(self.session, &live);
        let written = match rows::row(keys::session_live(self.account, self.session), 1, &live) {
            Ok(row) => self.records.write_each(vec![Write::Put(row, Guard::Always)]).await.map(drop),
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => self.last = Some(live),
            Err(error) => tracing::warn!(session = %self.session, %error, "the live row was not written"),
        }
    }

    /// Removes the row.
    pub(crate) async fn remove(&mut self) -> Result<(), PortError> {
        self.last = None;
        let key = keys::session_live(self.account, self.session);
        self.records.write_each(vec![Write::Delete(key, Guard::Always)]).await.map(drop)
    }
}
