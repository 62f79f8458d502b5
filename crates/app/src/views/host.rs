use serde::{Deserialize, Serialize};

/// A session host that is alive: its row ends by itself when its heart stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostView {
    /// Where its internal HTTP is, such as `http://10.0.1.7:8090`; empty where it is in this very process.
    pub address: String,
    /// How many sessions it holds.
    pub sessions: usize,
}

/// Which host holds a session. The row's version is the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The host's name.
    pub host: String,
}
