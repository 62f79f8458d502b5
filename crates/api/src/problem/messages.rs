//! What can be wrong with messages.

use waxwing_app::commands::ChangeMessageError;
use waxwing_domain::message::MessageError;

use crate::Problem;

impl From<MessageError> for Problem {
    fn from(error: MessageError) -> Self {
        let code = match error {
            MessageError::Content(error) => return Self::field(error.field, error.expected),
            MessageError::NotFound => return Self::not_found("message"),
            MessageError::AlreadySent => "already_sending",
            MessageError::NotSent => "not_sent",
            MessageError::Deleted => "message_deleted",
            MessageError::NotChangeable => "not_changeable",
            MessageError::AlreadyExists | MessageError::TooLong | MessageError::Busy => "conflict",
        };
        Self::new(code, error.to_string())
    }
}

impl From<ChangeMessageError> for Problem {
    fn from(error: ChangeMessageError) -> Self {
        match error {
            ChangeMessageError::SessionLoggedOut => Self::new("session_logged_out", error.to_string()),
            ChangeMessageError::Message(error) => error.into(),
            ChangeMessageError::Port(error) => error.into(),
        }
    }
}
