use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Something that somebody changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who, as in [`Cause`](crate::execute::Cause): the id of a user or of an API key, either behind `operator/`, `anonymous`,
    /// or `system`.
    pub actor: String,
    /// From where, if by a client of the API.
    pub address: Option<IpAddr>,
    /// In which request.
    pub request_id: Option<String>,
    /// The id of what was changed.
    pub resource: String,
    /// What happened.
    pub types: Vec<String>,
    /// By field: what it was before, and after. No secret stands here.
    pub changes: Map<String, Value>,
}
