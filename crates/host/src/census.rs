//! What the host's sessions are doing, for metrics.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use waxwing_app::{ports::Census, views::LiveSession};
use waxwing_domain::{SessionId, session::SessionStatus};

#[derive(Clone, Copy)]
struct Seen {
    status: SessionStatus,
    health: &'static str,
    last_frame_at: Option<Timestamp>,
}

/// What each session said last.
#[derive(Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<HashMap<SessionId, Seen>>>);

impl Sessions {
    pub(crate) fn saw(&self, session: SessionId, live: &LiveSession) {
        self.heard(session, live, live.health.last_frame_at);
    }

    pub(crate) fn heard(&self, session: SessionId, live: &LiveSession, last_frame_at: Option<Timestamp>) {
        let seen = Seen { status: live.status, health: live.health.state.as_str(), last_frame_at };
        self.all().insert(session, seen);
    }

    pub(crate) fn lost_sight_of(&self, session: SessionId) {
        self.all().remove(&session);
    }

    pub(crate) fn census(&self, client_outdated: bool) -> Census {
        let mut census = Census { client_outdated, ..Census::default() };
        for Seen { status, health, last_frame_at } in self.all().values() {
            *census.statuses.entry(status.as_str()).or_default() += 1;
            *census.health.entry(health).or_default() += 1;
            if let (SessionStatus::Connected, Some(at)) = (status, *last_frame_at) {
                census.oldest_frame_at = Some(census.oldest_frame_at.map_or(at, |oldest| oldest.min(at)));
            }
        }
        census
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
