use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{object::maybe_object, sandbox::present};

/// Who is meant by a privacy setting.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SandboxAudience)]
enum Audience {
    /// Everybody.
    All,
    /// Contacts. In the sandbox everybody is a contact of everybody.
    Contacts,
    /// Contacts, but for some.
    ContactBlacklist,
    /// Nobody.
    None,
    /// Whoever sees when the person was last there.
    MatchLastSeen,
    /// Whom the person knows.
    Known,
}

/// To whom a person shows what, and from whom they take what.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SandboxPrivacy)]
struct PrivacyOut {
    /// Who sees when they were last there.
    last_seen: Audience,
    /// Who sees that they are there.
    online: Audience,
    /// Who sees their picture.
    picture: Audience,
    /// Who sees the text about them.
    about: Audience,
    /// Who learns what they read.
    read_receipts: Audience,
    /// Who may add them to groups.
    groups: Audience,
    /// Who may call them.
    calls: Audience,
    /// Who may write to them.
    messages: Audience,
}

/// A change of privacy: what is absent stays.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeSandboxPrivacy)]
struct PrivacyIn {
    /// Who sees when they were last there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_seen: Option<Audience>,
    /// Who sees that they are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    online: Option<Audience>,
    /// Who sees their picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    picture: Option<Audience>,
    /// Who sees the text about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<Audience>,
    /// Who learns what they read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_receipts: Option<Audience>,
    /// Who may add them to groups: others get 403 for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    groups: Option<Audience>,
    /// Who may call them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calls: Option<Audience>,
    /// Who may write to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    messages: Option<Audience>,
}

/// A change of what a person shows: what is absent stays.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeSandboxProfile)]
pub(crate) struct ProfileIn {
    /// What contacts see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100, example = "Ada")]
    name: Option<String>,
    /// The text about the person; an empty one is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 139, example = "At sea")]
    about: Option<String>,
    /// The picture, base64 of up to 1 MiB; null deletes it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Byte, example = "/9j/2Q==")]
    picture: Option<Option<String>>,
    /// Whether the person looks at the phone: who watches them is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    present: Option<bool>,
    /// To whom they show what.
    #[serde(default, deserialize_with = "maybe_object", skip_serializing_if = "Option::is_none")]
    privacy: Option<PrivacyIn>,
}

/// What a person shows.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SandboxProfile)]
pub(crate) struct ProfileOut {
    /// What contacts see.
    #[schema(required, example = "Ada")]
    name: Option<String>,
    /// The text about the person.
    #[schema(required, example = "At sea")]
    about: Option<String>,
    /// Another one with each picture; null without one.
    #[schema(required, example = "1763856000000")]
    picture_id: Option<String>,
    /// To whom they show what.
    privacy: PrivacyOut,
}

/// A device that a phone has linked.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SandboxCompanion)]
pub(crate) struct CompanionOut {
    /// Its number, never used again.
    #[schema(example = 1)]
    device: u16,
    /// When it was linked.
    #[schema(format = DateTime)]
    linked_at: String,
}

/// How much of its past a phone hands over.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SandboxHistory)]
pub(crate) struct HistoryIn {
    /// How many of its newest texts; none before this is set.
    #[schema(value_type = u32, maximum = 5_000, example = 100)]
    messages: i64,
}

/// A call to make.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSandboxCall)]
pub(crate) struct CallIn {
    /// Who is called.
    #[schema(example = "+15550001111")]
    to: String,
    /// With a picture.
    #[serde(default)]
    #[schema(default = false)]
    video: bool,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SandboxCallState)]
enum CallState {
    /// Nobody has answered yet.
    Ringing,
    /// A device of the other person declined.
    Rejected,
    /// The caller hung up.
    Ended,
}

/// A call that a phone made.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SandboxCall)]
pub(crate) struct CallOut {
    /// Its id.
    #[schema(example = "AC0F3A5B")]
    call_id: String,
    /// Who is called.
    #[schema(example = "+15550001111")]
    to: String,
    /// With a picture.
    video: bool,
    /// What became of it.
    state: CallState,
}
