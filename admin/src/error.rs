use jiff::Timestamp;
use waxwing_app::ports::PortError;

/// Why an operator's work ended early.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The engine failed, again and again where another try could have helped.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Nothing can be in this time.
    #[error("--since {since} is not before --until {until}")]
    EmptyTime {
        /// The beginning.
        since: Timestamp,
        /// The end, which is now unless it was given.
        until: Timestamp,
    },
    /// Another work of the kind was begun and not ended.
    #[error(
        "a refeed since {since} until {until} to {consumers} was begun and not ended: call it again to end it, or say \
         --restart to give it up"
    )]
    OtherRefeed {
        /// Its beginning.
        since: Timestamp,
        /// Its end.
        until: Timestamp,
        /// Its consumers.
        consumers: String,
    },
    /// More than one run keeps in memory.
    #[error("more than {0} streams changed in this time: take it in pieces, with --until")]
    TooMany(usize),
}
