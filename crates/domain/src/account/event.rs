use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Role;
use crate::{Feature, InvitationId, Secret, UserId};

events! {
    /// What happened to an account.
    pub enum AccountEvent {
        /// It was made. Its owner is its first member.
        Created(AccountCreated) = "account.created" v "1",
        /// It has another name.
        Renamed(AccountRenamed) = "account.renamed" v "1",
        /// Somebody was asked to become a member.
        Invited(Invited) = "account.invited" v "1",
        /// The invitation is not good any more.
        InvitationRevoked(InvitationRevoked) = "account.invitation_revoked" v "1",
        /// The invitation is used up.
        InvitationAccepted(InvitationAccepted) = "account.invitation_accepted" v "1",
        /// There is one member more.
        MemberAdded(MemberAdded) = "account.member_added" v "1",
        /// A member is something else.
        MemberRoleChanged(MemberRoleChanged) = "account.member_role_changed" v "1",
        /// There is one member less.
        MemberRemoved(MemberRemoved) = "account.member_removed" v "1",
        /// Nobody is let in for now.
        Suspended(AccountSuspended) = "account.suspended" v "1",
        /// They are let in again.
        Restored(AccountRestored) = "account.restored" v "1",
        /// Something is on or off for it, whatever holds for the deployment.
        FeatureSwitched(AccountFeatureSwitched) = "account.feature_switched" v "1",
        /// It is gone. What it says is made unreadable next.
        Deleted(AccountDeleted) = "account.deleted" v "1",
    }
}

/// See [`AccountEvent::Created`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountCreated {
    /// Its name.
    pub name: String,
    /// Who owns it.
    pub owner: UserId,
    /// When.
    pub at: Timestamp,
}

/// See [`AccountEvent::Renamed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountRenamed {
    /// Its name.
    pub name: String,
    /// When.
    pub at: Timestamp,
}

/// See [`AccountEvent::Invited`]. The token itself is in no event: it follows from the nonce and from a key that is not in
/// the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invited {
    /// Which invitation.
    pub invitation: InvitationId,
    /// Where the mail goes.
    pub email: String,
    /// As what.
    pub role: Role,
    /// The account's name, which the mail says.
    pub account_name: String,
    /// 32 random bytes in base64.
    pub nonce: Secret,
    /// How long the token is good.
    pub expires_at: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// See [`AccountEvent::InvitationRevoked`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvitationRevoked {
    /// Which.
    pub invitation: InvitationId,
    /// When.
    pub at: Timestamp,
}

/// See [`AccountEvent::InvitationAccepted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvitationAccepted {
    /// Which.
    pub invitation: InvitationId,
    /// By whom.
    pub user: UserId,
    /// When.
    pub at: Timestamp,
}

/// See [`AccountEvent::MemberAdded`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberAdded {
    /// Who.
    pub user: UserId,
    /// As what.
    pub role: Role,
    /// When.
    pub at: Timestamp,
}

/// See [`AccountEvent::MemberRoleChanged`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberRoleChanged {
    /// Who.
    pub user: UserId,
    /// What they are now.
    pub role: Role,
    /// When.
    pub at: Timestamp,
}

/// See [`AccountEvent::MemberRemoved`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberRemoved {
    /// Who.
    pub user: UserId,
    /// When.
    pub at: Timestamp,
}

/// See [`AccountEvent::Suspended`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountSuspended {
    /// When.
    pub at: Timestamp,
}

/// See [`AccountEvent::Restored`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountRestored {
    /// When.
    pub at: Timestamp,
}

/// See [`AccountEvent::FeatureSwitched`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountFeatureSwitched {
    /// Which.
    pub feature: Feature,
    /// Whether it is on; as for the deployment when absent.
    pub enabled: Option<bool>,
    /// When.
    pub at: Timestamp,
}

/// See [`AccountEvent::Deleted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountDeleted {
    /// When.
    pub at: Timestamp,
}
