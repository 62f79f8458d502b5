use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use waxwing_domain::{
    Network, Person, PhoneNumber, SessionId,
    session::{SessionEvent, SessionSettings, SessionStatus},
};

/// What a session should be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Connected, or on the way there.
    Running,
    /// Not connected.
    Stopped,
    /// Unlinked from the phone, then not connected.
    LoggedOut,
    /// Gone with all its state.
    Deleted,
}

/// A session as projected from its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// Its name.
    pub name: String,
    /// Which WhatsApp.
    pub network: Network,
    /// The number that is expected to be linked.
    pub phone_number: Option<PhoneNumber>,
    /// How it behaves.
    pub settings: SessionSettings,
    /// What it should be doing.
    pub wanted: Wanted,
    /// Grows with each wish that needs a new connection: a host that sees a higher one connects anew.
    pub generation: u64,
    /// It was asked to log out and has not done so yet.
    #[serde(default)]
    pub logging_out: bool,
    /// It was asked to start while it was logging out.
    #[serde(default)]
    pub start_after_logout: bool,
    /// The last status that was recorded.
    pub status: SessionStatus,
    /// Why.
    pub reason: Option<String>,
    /// Until when WhatsApp restricts the account, where it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Whose phone it is linked to.
    pub me: Option<Person>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl SessionView {
    /// The view after an event.
    pub fn after(view: Option<Self>, id: SessionId, event: SessionEvent) -> Option<Self> {
        match (view, event) {
            (None, SessionEvent::Created(created)) => Some(Self {
                id,
                name: created.name,
                network: created.network,
                phone_number: created.phone_number,
                settings: created.settings.shown(),
                wanted: if created.start { Wanted::Running } else { Wanted::Stopped },
                generation: 1,
                logging_out: false,
                start_after_logout: false,
                status: if created.start { SessionStatus::Connecting } else { SessionStatus::Stopped },
                reason: None,
                until: None,
                me: None,
                created_at: created.at,
            }),
            (None, _) => None,
            (Some(mut view), event) => {
                view.advance(event);
                Some(view)
            },
        }
    }

    /// What it is doing and why: as its host says, where one looks after it.
    pub fn status_with(&self, live: Option<&LiveSession>) -> (SessionStatus, Option<String>) {
        match (self.status, live) {
            // A fact that the live row may not know yet: the host that said otherwise is on its way out.
            (SessionStatus::LoggedOut, _) | (_, None) => (self.status, self.reason.clone()),
            (_, Some(live)) => (live.status, live.reason.clone()),
        }
    }

    fn advance(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Created(_) => {},
            SessionEvent::StartRequested(_) | SessionEvent::RestartRequested(_) => {
                self.generation += 1;
                match self.wanted {
                    // First it has to be unlinked as it was asked to.
                    Wanted::LoggedOut if self.logging_out => self.start_after_logout = true,
                    _ => self.begin(),
                }
            },
            SessionEvent::StopRequested(_) => match self.wanted {
                Wanted::LoggedOut if self.logging_out => self.start_after_logout = false,
                _ => self.wanted = Wanted::Stopped,
            },
            SessionEvent::LogoutRequested(_) => {
                self.wanted = Wanted::LoggedOut;
                (self.logging_out, self.start_after_logout) = (true, false);
            },
            SessionEvent::SettingsChanged(changed) => {
                self.generation += u64::from(changed.reconnect);
                self.settings = changed.settings.shown();
            },
            SessionEvent::Paired(paired) => self.me = Some(paired.me),
            SessionEvent::StatusChanged(changed) => {
                self.status = changed.status;
                self.reason = changed.reason;
                self.until = changed.until;
                match changed.status {
                    SessionStatus::LoggedOut => self.logged_out(),
                    status if status.is_at_rest() => self.wanted = Wanted::Stopped,
                    _ => {},
                }
            },
            SessionEvent::Deleted(_) => self.wanted = Wanted::Deleted,
        }
    }

    fn begin(&mut self) {
        self.wanted = Wanted::Running;
        self.status = SessionStatus::Connecting;
        self.reason = None;
        self.until = None;
    }

    fn logged_out(&mut self) {
        self.wanted = Wanted::LoggedOut;
        self.logging_out = false;
        if std::mem::take(&mut self.start_after_logout) {
            self.begin();
        }
    }
}

/// Whether a session that is meant to be connected really hears WhatsApp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Frames arrive, or nothing is expected to arrive.
    #[default]
    Healthy,
    /// Works, but not well.
    Degraded,
    /// The socket is open and nothing is heard.
    Deaf,
    /// The connection is being restored.
    Reconnecting,
    /// WhatsApp restricts the account.
    Restricted,
}

impl HealthState {
    /// The name as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Deaf => "deaf",
            Self::Reconnecting => "reconnecting",
            Self::Restricted => "restricted",
        }
    }
}

/// How well a session hears.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// In one word.
    pub state: HealthState,
    /// When the last frame came.
    pub last_frame_at: Option<Timestamp>,
    /// Why it is not healthy.
    pub reason: Option<String>,
}

/// A code for the phone to scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QrCode {
    /// What the picture encodes.
    pub code: String,
    /// From when on the phone no longer accepts it.
    pub expires_at: Timestamp,
}

/// What the host says of a session right now. Operational: it may lag and is no fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSession {
    /// What it is doing.
    pub status: SessionStatus,
    /// Why.
    pub reason: Option<String>,
    /// How well it hears.
    pub health: Health,
    /// The code to scan, while it waits for one.
    pub qr: Option<QrCode>,
}
