use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waxwing_app::{queries::Membership, views::MemberView};
use waxwing_domain::account;

/// What a member is. Each may do all that those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Reads.
    Viewer,
    /// Sends, and changes sessions, webhooks and API keys.
    Developer,
    /// Looks after members and the account.
    Admin,
    /// May do everything.
    Owner,
}

impl From<account::Role> for Role {
    fn from(role: account::Role) -> Self {
        match role {
            account::Role::Viewer => Self::Viewer,
            account::Role::Developer => Self::Developer,
            account::Role::Admin => Self::Admin,
            account::Role::Owner => Self::Owner,
        }
    }
}

/// A member of the account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberOut {
    /// The user's id.
    #[schema(example = "usr_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    user_id: String,
    /// The address.
    #[schema(required, example = "ada@example.com")]
    email: Option<String>,
    /// The name.
    #[schema(required, example = "Ada")]
    name: Option<String>,
    /// What they are.
    role: Role,
    /// Since when they are a member.
    #[schema(value_type = String, format = DateTime)]
    joined_at: Timestamp,
}

impl From<MemberView> for MemberOut {
    fn from(view: MemberView) -> Self {
        let MemberView { id, email, name, role, joined_at } = view;
        Self { user_id: id.to_string(), email, name, role: role.into(), joined_at }
    }
}

/// What a member is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeMember)]
pub(crate) struct ChangeMemberIn {
    /// No more than the caller is.
    #[schema(value_type = Role, example = "developer")]
    pub(crate) role: account::Role,
}

/// An account to which a person belongs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Membership)]
pub(crate) struct MembershipOut {
    /// The account's id: `account_id` of `POST /auth/login`.
    #[schema(example = "acc_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    id: String,
    /// Its name.
    name: String,
    /// What the person is in it.
    role: Role,
}

impl From<Membership> for MembershipOut {
    fn from(membership: Membership) -> Self {
        let Membership { account_id, name, role } = membership;
        Self { id: account_id.to_string(), name, role: role.into() }
    }
}
