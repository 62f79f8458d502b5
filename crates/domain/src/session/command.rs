use jiff::Timestamp;

use super::{
    NAME_CHARS_MAX, SessionCreated, SessionError, SessionEvent, SessionSettings, SessionStatus,
    SettingsChange,
};
use crate::{Network, Person, PhoneNumber};

/// What can be asked of a session.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionCommand {
    /// Make it.
    Create(CreateSession),
    /// It should run.
    Start {
        /// When.
        at: Timestamp,
    },
    /// It should not run.
    Stop {
        /// When.
        at: Timestamp,
    },
    /// It should connect anew.
    Restart {
        /// When.
        at: Timestamp,
    },
    /// It should unlink itself.
    Logout {
        /// When.
        at: Timestamp,
    },
    /// A phone linked it.
    RecordPairing {
        /// Whose phone.
        me: Person,
        /// The phone's platform.
        platform: String,
        /// When.
        at: Timestamp,
    },
    /// It should behave otherwise.
    ChangeSettings {
        /// What should change.
        change: SettingsChange,
        /// When.
        at: Timestamp,
    },
    /// The host saw it change.
    RecordStatus {
        /// What it is doing now.
        status: SessionStatus,
        /// Why, for programs.
        reason: Option<String>,
        /// Until when WhatsApp restricts the account, where it says so.
        until: Option<Timestamp>,
        /// The wish that the host followed, as counted in the session's view.
        generation: u64,
        /// When.
        at: Timestamp,
    },
    /// It should be gone.
    Delete {
        /// When.
        at: Timestamp,
    },
}

/// Make a session.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateSession {
    /// 1 to 100 characters, unique in the account.
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

impl CreateSession {
    pub(super) fn decide(self) -> Result<Vec<SessionEvent>, SessionError> {
        let Self { name, network, phone_number, start, settings, at } = self;
        settings.check()?;
        let count = name.trim().chars().count();
        match (1..=NAME_CHARS_MAX).contains(&count) && count == name.chars().count() {
            true => Ok(vec![SessionCreated { name, network, phone_number, start, settings, at }.into()]),
            false => Err(SessionError::InvalidName),
        }
    }
}
