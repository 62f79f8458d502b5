use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waxwing_app::views::InvitationView;
use waxwing_domain::{Secret, account};

use super::{AccountOut, Role, UserOut};

/// Whom to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Invite)]
pub(crate) struct InviteIn {
    /// The address; the mail with the token goes there.
    #[schema(format = "email", max_length = 254, example = "eve@example.com")]
    pub(crate) email: String,
    /// As what. No more than the caller is.
    #[schema(value_type = Role, example = "developer")]
    pub(crate) role: account::Role,
}

/// An invitation that can be accepted. Its token stands in the mail only.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitationOut {
    /// Its id.
    #[schema(example = "inv_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    id: String,
    /// The address.
    #[schema(example = "eve@example.com")]
    email: String,
    /// As what.
    role: Role,
    /// How long it can be accepted.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<InvitationView> for InvitationOut {
    fn from(view: InvitationView) -> Self {
        let InvitationView { id, email, role, expires_at, created_at } = view;
        Self { id: id.to_string(), email, role: role.into(), expires_at, created_at }
    }
}

/// Who accepts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AcceptInvitation)]
pub(crate) struct AcceptInvitationIn {
    /// As it stands in the mail. Good once, for seven days.
    #[schema(value_type = String, max_length = 128)]
    pub(crate) token: Secret,
    /// What to call the person, where nobody has the address yet.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, example = "Eve")]
    pub(crate) name: Option<String>,
    /// Where nobody has the address yet: 8 to 128 characters, and not easily guessed.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "password", min_length = 8, max_length = 128)]
    pub(crate) password: Option<Secret>,
}

/// Who became a member of what.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AcceptedInvitation)]
pub(crate) struct AcceptedInvitationOut {
    /// The person.
    pub(crate) user: UserOut,
    /// The account.
    pub(crate) account: AccountOut,
    /// What the person is in it.
    pub(crate) role: Role,
}
