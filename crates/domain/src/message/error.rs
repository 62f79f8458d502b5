/// Why a command on a message was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The id is taken by another message.
    #[error("a message with this id already exists")]
    AlreadyExists,
    /// There is no such message.
    #[error("there is no such message")]
    NotFound,
    /// A text message without text.
    #[error("the text is empty")]
    EmptyText,
    /// More than WhatsApp takes.
    #[error("the text is longer than 65,536 characters")]
    TextTooLong,
}
