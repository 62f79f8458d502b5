use std::sync::Arc;

use waxwing_app::ports::Clock;

use crate::{readers::Readers, signals::Signals, writer::Writer};

/// The open database, as the ports on top of it share it.
pub(crate) struct Store {
    /// The way in for every write.
    pub(crate) writer: Writer,
    /// Connections for reads.
    pub(crate) readers: Readers,
    /// What committed writes tell.
    pub(crate) signals: Arc<Signals>,
    /// Decides what has expired and what is due.
    pub(crate) clock: Arc<dyn Clock>,
}
