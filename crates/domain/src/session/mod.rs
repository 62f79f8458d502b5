//! A WhatsApp session: our connection of one linked device.
//!
//! The stream holds what is a fact for the business: that it exists, whether it should run, that it was linked, connected,
//! dropped for longer than the grace, logged out. QR codes and short flaps are operational and live in Records.

mod command;
mod error;
mod event;
mod settings;
#[cfg(test)]
mod tests;

pub use command::{CreateSession, SessionCommand};
pub use error::SessionError;
pub use event::{
    LogoutRequested, SessionCreated, SessionDeleted, SessionEvent, SessionPaired, SessionRestartRequested,
    SessionSettingsChanged, SessionStartRequested, SessionStatusChanged, SessionStopRequested,
};
use serde::{Deserialize, Serialize};
pub use settings::{ProxyKind, ProxyUrl, ProxyUrlError, SessionSettings, SettingsChange};

use crate::Jid;

/// Longest name of a session, in characters.
pub const NAME_CHARS_MAX: usize = 100;

/// What a session is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// Not running, by wish or because nobody scanned the code.
    #[default]
    Stopped,
    /// On the way to WhatsApp.
    Connecting,
    /// Waiting for a phone to scan the code.
    Pairing,
    /// The phone wants a passkey.
    PasskeyRequired,
    /// Linked and connected.
    Connected,
    /// The connection dropped for longer than the grace and is being restored.
    Reconnecting,
    /// Unlinked, here or on the phone. Only a new pairing helps.
    LoggedOut,
    /// WhatsApp restricts the account.
    Restricted,
    /// WhatsApp no longer accepts this version of the client.
    ClientOutdated,
    /// It cannot go on; the reason says why.
    Failed,
}

impl SessionStatus {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Stopped,
        Self::Connecting,
        Self::Pairing,
        Self::PasskeyRequired,
        Self::Connected,
        Self::Reconnecting,
        Self::LoggedOut,
        Self::Restricted,
        Self::ClientOutdated,
        Self::Failed,
    ];

    /// The name as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Connecting => "connecting",
            Self::Pairing => "pairing",
            Self::PasskeyRequired => "passkey_required",
            Self::Connected => "connected",
            Self::Reconnecting => "reconnecting",
            Self::LoggedOut => "logged_out",
            Self::Restricted => "restricted",
            Self::ClientOutdated => "client_outdated",
            Self::Failed => "failed",
        }
    }
}

impl SessionStatus {
    /// True when the session does not go on by itself: a start brings it back.
    pub fn is_at_rest(self) -> bool {
        matches!(
            self,
            Self::Stopped | Self::LoggedOut | Self::Restricted | Self::ClientOutdated | Self::Failed
        )
    }
}

/// State of one session: what decisions need.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    exists: bool,
    deleted: bool,
    /// Whether it should run.
    running: bool,
    status: SessionStatus,
    /// Whose phone it is linked to.
    me: Option<Jid>,
    /// It was asked to log out and has not done so yet.
    logging_out: bool,
    /// Counts wishes that need a new connection.
    generation: u64,
    name: String,
    settings: SessionSettings,
    /// The generation that was last wished to run anew.
    started: u64,
}

impl Session {
    /// What it was last known to be doing.
    pub fn status(&self) -> SessionStatus {
        self.status
    }

    /// True until it is deleted.
    pub fn is_there(&self) -> bool {
        self.exists && !self.deleted
    }

    /// Its name, which is unique in the account.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it behaves.
    pub fn settings(&self) -> &SessionSettings {
        &self.settings
    }

    /// Which events follow from the command.
    pub fn decide(&self, command: SessionCommand) -> Result<Vec<SessionEvent>, SessionError> {
        use SessionCommand as C;
        match (self.is_there(), command) {
            (false, C::Create(create)) if !self.exists => create.decide(),
            (_, C::Create(_)) => Err(SessionError::AlreadyExists),
            (false, _) => Err(SessionError::NotFound),
            (true, C::Start { at }) => Ok(unless(self.running, SessionStartRequested { at })),
            (true, C::Stop { at }) => Ok(unless(!self.running, SessionStopRequested { at })),
            (true, C::Restart { at }) => Ok(vec![SessionRestartRequested { at }.into()]),
            (true, C::Logout { at }) => {
                Ok(unless(self.me.is_none() || self.logging_out, LogoutRequested { at }))
            },
            // Told again with every login, in case the first telling was lost.
            (true, C::RecordPairing { me, platform, at }) => {
                Ok(unless(self.me.as_ref() == Some(&me.jid), SessionPaired { me, platform, at }))
            },
            // A host that saw the session come to rest before a newer wish speaks of the past.
            (true, C::RecordStatus { status, generation, .. })
                if status.is_at_rest() && generation < self.started =>
            {
                Ok(vec![])
            },
            (true, C::RecordStatus { status, reason, until, at, .. }) => {
                Ok(unless(self.status == status, SessionStatusChanged { status, reason, until, at }))
            },
            (true, C::ChangeSettings { change, at }) => {
                let settings = self.settings.changed(change);
                settings.check()?;
                // The name is told when a phone links the session: where codes are shown, others have to be.
                let renamed = settings.device_name != self.settings.device_name && self.me.is_none();
                let reconnect = settings.proxy != self.settings.proxy || renamed;
                Ok(unless(self.settings == settings, SessionSettingsChanged { settings, reconnect, at }))
            },
            (true, C::Delete { at }) => Ok(vec![SessionDeleted { at }.into()]),
        }
    }

    fn apply_event(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Created(created) => {
                self.exists = true;
                self.running = created.start;
                self.name = created.name;
                self.settings = created.settings;
                (self.generation, self.started) = (1, 1);
                if created.start {
                    self.status = SessionStatus::Connecting;
                }
            },
            SessionEvent::StartRequested(_) | SessionEvent::RestartRequested(_) => {
                self.running = true;
                self.generation += 1;
                self.started = self.generation;
                // What comes next is news, whatever it was before.
                self.status = SessionStatus::Connecting;
            },
            SessionEvent::StopRequested(_) => self.running = false,
            SessionEvent::LogoutRequested(_) => (self.logging_out, self.running) = (true, false),
            SessionEvent::Paired(paired) => self.me = Some(paired.me.jid),
            SessionEvent::SettingsChanged(changed) => {
                self.generation += u64::from(changed.reconnect);
                self.settings = changed.settings;
            },
            SessionEvent::StatusChanged(changed) => self.apply_status(changed.status),
            SessionEvent::Deleted(_) => self.deleted = true,
        }
    }

    fn apply_status(&mut self, status: SessionStatus) {
        self.status = status;
        if status == SessionStatus::LoggedOut {
            self.me = None;
        }
        // A start that came while it was logging out is still wished for.
        if status == SessionStatus::LoggedOut && self.logging_out {
            self.logging_out = false;
            if self.running {
                self.status = SessionStatus::Connecting;
            }
            return;
        }
        self.running &= !status.is_at_rest();
    }
}

/// The event, unless it would say what is so already.
fn unless(already: bool, event: impl Into<SessionEvent>) -> Vec<SessionEvent> {
    match already {
        true => vec![],
        false => vec![event.into()],
    }
}

aggregate!(Session, "session", SessionCommand, SessionEvent, SessionError);
