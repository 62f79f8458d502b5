use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A session host that is alive: its row ends by itself when its heart stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostView {
    /// Where its internal HTTP is, such as `http://10.0.1.7:8090`; empty where it is in this very process.
    pub address: String,
    /// How many sessions it looks after.
    pub sessions: usize,
    /// It is about to stop: it gives its sessions away and takes none.
    #[serde(default)]
    pub draining: bool,
    /// WhatsApp refused this version of the client there: no host connects for a while.
    #[serde(default)]
    pub outdated: bool,
}

/// Which host holds a session. The row's version is the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The host's name; `None` when the last one has let go.
    pub host: Option<String>,
    /// Since when it is so. Absent where an earlier version wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}
