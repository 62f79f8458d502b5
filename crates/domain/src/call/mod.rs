//! A call that came in: one stream each, so that nobody who calls often makes a session's own stream long.

mod event;

pub use event::{CallEvent, CallReceived};
use serde::{Deserialize, Serialize};

/// What can be asked of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum CallCommand {
    /// It came in.
    Receive(CallReceived),
}

/// Nothing refuses a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {}

/// State of one call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Call {
    known: bool,
}

impl Call {
    /// Which events follow from the command. The network may tell of a call twice.
    pub fn decide(&self, CallCommand::Receive(call): CallCommand) -> Result<Vec<CallEvent>, CallError> {
        Ok(if self.known { vec![] } else { vec![call.into()] })
    }

    fn apply_event(&mut self, CallEvent::Received(_): CallEvent) {
        self.known = true;
    }
}

aggregate!(Call, "call", CallCommand, CallEvent, CallError);
