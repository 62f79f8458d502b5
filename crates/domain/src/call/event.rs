use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Person, SessionId};

events! {
    /// What happened to a call.
    pub enum CallEvent {
        /// It came in.
        Received(CallReceived) = "call.received" v "1",
    }
}

/// See [`CallEvent::Received`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallReceived {
    /// Whose phone.
    pub session_id: SessionId,
    /// WhatsApp's id of the call.
    pub call_id: String,
    /// Who calls.
    pub from: Person,
    /// The group, for a call of a group.
    pub group: Option<Person>,
    /// With a picture.
    pub video: bool,
    /// It was declined here.
    pub rejected: bool,
    /// It came while the session was away.
    pub missed: bool,
    /// WhatsApp's time.
    pub at: Timestamp,
}
