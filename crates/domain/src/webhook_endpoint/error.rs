/// Why a command on a webhook endpoint was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookEndpointError {
    /// The id is taken.
    #[error("a webhook with this id already exists")]
    AlreadyExists,
    /// There is no such endpoint, or no longer.
    #[error("there is no such webhook")]
    NotFound,
    /// Longer than 2,048 bytes.
    #[error("the address is longer than 2,048 bytes")]
    UrlTooLong,
    /// None, unknown ones, or `*` beside others.
    #[error("expected known event types, or \"*\" alone")]
    InvalidEvents,
    /// An empty list, or more than 1,000.
    #[error("expected 1 to 1,000 sessions, or none of this field")]
    InvalidSessions,
    /// Longer than 500 characters.
    #[error("the description is longer than 500 characters")]
    DescriptionTooLong,
}
