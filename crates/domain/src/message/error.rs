use crate::content::InvalidContent;

/// Why a command on a message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The id is taken by another message.
    #[error("a message with this id already exists")]
    AlreadyExists,
    /// There is no such message.
    #[error("there is no such message")]
    NotFound,
    /// The content cannot be sent: which field, and what was expected.
    #[error("{}: {}", .0.field, .0.expected)]
    Content(InvalidContent),
    /// It cannot be withdrawn: it was sent, or is being sent.
    #[error("the message was sent already")]
    AlreadySent,
    /// It was not sent, or not yet: nothing can be done to it on WhatsApp.
    #[error("the message was not sent yet")]
    NotSent,
    /// It was taken back.
    #[error("the message was deleted")]
    Deleted,
    /// Only a text of one's own can be edited, and only an own message taken back.
    #[error("the message cannot be changed like this")]
    NotChangeable,
    /// A text, an emoji or a context beyond its limits.
    #[error("it is beyond a limit")]
    TooLong,
    /// More operations wait for WhatsApp than one message may have.
    #[error("too many changes of this message wait to be sent")]
    Busy,
}
