use tokio::sync::watch;

/// What a committed write tells those who wait. Sent by the writer thread, so that it cannot get lost with a caller.
#[derive(Debug)]
pub(crate) struct Signals {
    /// Position of the last commit.
    pub(crate) appended: watch::Sender<u64>,
    /// Counts the groups that made a job due earlier than it was.
    pub(crate) work: watch::Sender<u64>,
}

impl Signals {
    pub(crate) fn new(position: u64) -> Self {
        Self { appended: watch::Sender::new(position), work: watch::Sender::new(0) }
    }
}
