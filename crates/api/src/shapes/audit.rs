use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use waxwing_app::{queries::AuditOf, views::AuditEntry};
use waxwing_domain::ids::IdError;

use crate::Problem;

/// Which entries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Most entries of the page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    pub(crate) limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
    /// Only what this user or API key did, or `operator`.
    pub(crate) actor: Option<String>,
    /// Only what happened to the thing with this id.
    pub(crate) resource: Option<String>,
}

/// Which entries the operator wants.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AdminAuditQuery {
    /// Most entries of the page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    pub(crate) limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
    /// What this user changed about themselves.
    user_id: Option<String>,
    /// What was changed in this account. Not with `user_id`.
    account_id: Option<String>,
    /// Only what this user or API key did.
    pub(crate) actor: Option<String>,
}

impl AdminAuditQuery {
    pub(crate) fn of(&self) -> Result<AuditOf, Problem> {
        let wrong = |name: &str, error: IdError| Problem::field(format!("/query/{name}"), error.to_string());
        match (&self.user_id, &self.account_id) {
            (Some(_), Some(_)) => {
                Err(Problem::field("/query/account_id", "expected no account_id beside user_id"))
            },
            (Some(user), None) => user.parse().map(AuditOf::User).map_err(|error| wrong("user_id", error)),
            (None, Some(account)) => {
                account.parse().map(AuditOf::Account).map_err(|error| wrong("account_id", error))
            },
            (None, None) => Ok(AuditOf::Deployment),
        }
    }
}

/// Something that somebody changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct AuditEntryOut {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who: the id of a user or of an API key, `anonymous`, or `system`. In an account's own log `operator`, where the operator
    /// changed something of it.
    #[schema(example = "key_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    actor: String,
    /// From where, if by a client of the API. Null beside `operator`.
    #[schema(required, example = "203.0.113.9")]
    address: Option<String>,
    /// In which request.
    #[schema(required)]
    request_id: Option<String>,
    /// The id of what was changed.
    resource: String,
    /// What happened.
    #[schema(example = json!(["session.settings_changed"]))]
    types: Vec<String>,
    /// By field: what it was before, and after.
    changes: BTreeMap<String, AuditChangeOut>,
}

/// One field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditChange)]
pub(crate) struct AuditChangeOut {
    /// What it was.
    before: Value,
    /// What it is.
    after: Value,
}

impl From<AuditEntry> for AuditEntryOut {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { at, actor, address, request_id, resource, types, changes } = entry;
        let change = |(field, mut value): (String, Value)| {
            (field, AuditChangeOut { before: value["before"].take(), after: value["after"].take() })
        };
        let changes = changes.into_iter().map(change).collect();
        let address = address.map(|address| address.to_string());
        Self { at, actor, address, request_id, resource, types, changes }
    }
}
