use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waxwing_domain::{AccountId, account::AccountCreated};

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountOut {
    /// The id.
    #[schema(example = "acc_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    pub(crate) id: String,
    /// The name.
    #[schema(required)]
    pub(crate) name: Option<String>,
    /// When it was made.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub(crate) created_at: Option<Timestamp>,
}

impl AccountOut {
    pub(crate) fn new(id: AccountId, created: Option<&AccountCreated>) -> Self {
        let (name, created_at) = created.map(|created| (created.name.clone(), created.at)).unzip();
        Self { id: id.to_string(), name, created_at }
    }
}

/// What changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeAccount)]
pub(crate) struct ChangeAccountIn {
    /// The name.
    #[schema(min_length = 1, max_length = 100, example = "Corner shop")]
    pub(crate) name: String,
}
