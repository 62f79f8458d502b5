use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the stanzas of a group name its members.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SandboxAddressing)]
enum Addressing {
    /// By number.
    Pn,
    /// By the address that hides the number.
    Lid,
}

/// A group to make.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateSandboxGroup)]
pub(crate) struct CreateGroupIn {
    /// The phone whose person makes it, and owns it.
    #[schema(example = "+15550001111")]
    pub(crate) by: String,
    /// What it is called.
    #[schema(min_length = 1, max_length = 100, example = "Regulars")]
    subject: String,
    /// Numbers of other phones.
    #[serde(default)]
    #[schema(max_items = 1_023, example = json!(["+15550002222"]))]
    participants: Vec<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2_048)]
    description: Option<String>,
    /// How members are named; by number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    addressing_mode: Option<Addressing>,
}

/// A change of a group: what is absent stays.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeSandboxGroup)]
pub(crate) struct ChangeGroupIn {
    /// The phone whose person does it.
    #[schema(example = "+15550001111")]
    pub(crate) by: String,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100, example = "Friends of the house")]
    subject: Option<String>,
    /// What it is about; an empty one is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2_048)]
    description: Option<String>,
    /// Only admins write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    announcement: Option<bool>,
    /// Only admins change subject and description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locked: Option<bool>,
    /// Only admins add members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    admin_add: Option<bool>,
    /// Who comes by an invite code waits until an admin lets them in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approval: Option<bool>,
}

/// What happens to members.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SandboxParticipantAction)]
enum ParticipantAction {
    /// They come in.
    Add,
    /// They go.
    Remove,
    /// They become admins.
    Promote,
    /// They are admins no longer.
    Demote,
}

/// A change of members.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeSandboxParticipants)]
pub(crate) struct ChangeParticipantsIn {
    /// The phone whose person does it.
    #[schema(example = "+15550001111")]
    pub(crate) by: String,
    /// What happens to them.
    action: ParticipantAction,
    /// Numbers of phones.
    #[schema(min_items = 1, max_items = 1_024, example = json!(["+15550003333"]))]
    pub(crate) participants: Vec<String>,
}

/// What came of it for one number.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SandboxParticipantChange)]
pub(crate) struct ParticipantChangeOut {
    /// The number.
    #[schema(example = "+15550003333")]
    number: String,
    /// With which code WhatsApp refuses it: 403 lets nobody add them, 404 no member, 406 the owner, 409 a member already.
    #[schema(required)]
    error: Option<u16>,
}

/// Whoever does something in a group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SandboxGroupActor)]
pub(crate) struct GroupActorIn {
    /// The phone whose person does it.
    #[schema(example = "+15550002222")]
    pub(crate) by: String,
}

/// An invitation to follow.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JoinSandboxGroup)]
pub(crate) struct JoinGroupIn {
    /// The phone whose person joins.
    #[schema(example = "+15550003333")]
    pub(crate) by: String,
    /// The group's invite code.
    #[schema(example = "Ab3dEf6hIj9kLm2nOp5qRs")]
    code: String,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SandboxGroupRole)]
enum Role {
    /// No more than others.
    Member,
    /// Changes members and settings.
    Admin,
    /// Made the group; nobody takes this from them.
    Superadmin,
}

/// A member of a group.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SandboxGroupMember)]
struct MemberOut {
    /// The number of their phone.
    #[schema(example = "+15550002222")]
    number: String,
    /// What they may do.
    role: Role,
}

/// A group as its members see it.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SandboxGroup)]
pub(crate) struct GroupOut {
    /// Its address.
    #[schema(example = "120363000000000001@g.us")]
    jid: String,
    /// What it is called.
    #[schema(example = "Regulars")]
    subject: String,
    /// What it is about.
    #[schema(required)]
    description: Option<String>,
    /// How its stanzas name members.
    addressing_mode: Addressing,
    /// Only admins write.
    announcement: bool,
    /// Only admins change subject and description.
    locked: bool,
    /// Only admins add members.
    admin_add: bool,
    /// Who comes by an invite code waits until an admin lets them in.
    approval: bool,
    /// In the order in which their phones were made.
    participants: Vec<MemberOut>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

/// What others join a group with.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SandboxGroupInvite)]
pub(crate) struct InviteOut {
    /// The code, which is the end of the invite link.
    #[schema(example = "Ab3dEf6hIj9kLm2nOp5qRs")]
    code: String,
}

/// The group that was joined; nothing, for one whose admins decide.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum JoinedOut {
    Joined(Box<GroupOut>),
    Waiting {},
}

/// Somebody who waits to be let in.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SandboxJoinRequest)]
pub(crate) struct JoinRequestOut {
    /// The number of their phone.
    #[schema(example = "+15550003333")]
    number: String,
    /// Since when.
    #[schema(format = DateTime)]
    requested_at: String,
}

/// What an admin answers.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AnswerSandboxJoinRequests)]
pub(crate) struct AnswerJoinRequestsIn {
    /// The phone of the admin.
    #[schema(example = "+15550001111")]
    pub(crate) by: String,
    /// Whether they are let in.
    approve: bool,
    /// Numbers of phones that wait.
    #[schema(min_items = 1, max_items = 1_024, example = json!(["+15550003333"]))]
    pub(crate) participants: Vec<String>,
}
