use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{SessionSettings, SessionStatus};
use crate::{Network, Person, PhoneNumber};

events! {
    /// What happened to a session.
    pub enum SessionEvent {
        /// It was made.
        Created(SessionCreated) = "session.created" v "1",
        /// It should run.
        StartRequested(SessionStartRequested) = "session.start_requested" v "1",
        /// It should not run.
        StopRequested(SessionStopRequested) = "session.stop_requested" v "1",
        /// It should connect anew.
        RestartRequested(SessionRestartRequested) = "session.restart_requested" v "1",
        /// It should unlink itself.
        LogoutRequested(LogoutRequested) = "session.logout_requested" v "1",
        /// A phone linked it.
        Paired(SessionPaired) = "session.paired" v "1",
        /// It behaves otherwise from now on.
        SettingsChanged(SessionSettingsChanged) = "session.settings_changed" v "1",
        /// It does something else now, for longer than the grace.
        StatusChanged(SessionStatusChanged) = "session.status_changed" v "1",
        /// It is gone.
        Deleted(SessionDeleted) = "session.deleted" v "1",
    }
}

/// See [`SessionEvent::Created`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionCreated {
    /// Its name.
    pub name: String,
    /// Which WhatsApp.
    pub network: Network,
    /// The number that is expected to be linked.
    pub phone_number: Option<PhoneNumber>,
    /// Whether it should run at once.
    pub start: bool,
    /// How it behaves.
    pub settings: SessionSettings,
    /// When.
    pub at: Timestamp,
}

/// See [`SessionEvent::StartRequested`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionStartRequested {
    /// When.
    pub at: Timestamp,
}

/// See [`SessionEvent::StopRequested`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionStopRequested {
    /// When.
    pub at: Timestamp,
}

/// See [`SessionEvent::RestartRequested`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionRestartRequested {
    /// When.
    pub at: Timestamp,
}

/// See [`SessionEvent::LogoutRequested`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogoutRequested {
    /// When.
    pub at: Timestamp,
}

/// See [`SessionEvent::Paired`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionPaired {
    /// Whose phone.
    pub me: Person,
    /// The phone's platform.
    pub platform: String,
    /// When.
    pub at: Timestamp,
}

/// See [`SessionEvent::SettingsChanged`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionSettingsChanged {
    /// How it behaves.
    pub settings: SessionSettings,
    /// It needs another connection: the way to WhatsApp is another one.
    pub reconnect: bool,
    /// When.
    pub at: Timestamp,
}

/// See [`SessionEvent::StatusChanged`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionStatusChanged {
    /// What it is doing now.
    pub status: SessionStatus,
    /// Why, for programs.
    pub reason: Option<String>,
    /// Until when WhatsApp restricts the account, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
}

/// See [`SessionEvent::Deleted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionDeleted {
    /// When.
    pub at: Timestamp,
}
