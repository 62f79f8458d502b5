use jiff::Timestamp;

use super::Role;
use crate::{Feature, InvitationId, UserId, user::Proof};

/// What can be asked of an account. `authority` is the highest role about which whoever asks may decide: nobody gives, or
/// takes away, more than they have. Without one they may decide about no member.
#[derive(Debug, Clone, PartialEq)]
pub enum AccountCommand {
    /// Make it.
    Create {
        /// 1 to 100 characters.
        name: String,
        /// Who owns it.
        owner: UserId,
        /// When.
        at: Timestamp,
    },
    /// Take another name.
    Rename {
        /// 1 to 100 characters.
        name: String,
        /// When.
        at: Timestamp,
    },
    /// Ask whoever reads the address's mail to become a member.
    Invite {
        /// Its id.
        invitation: InvitationId,
        /// The address.
        email: String,
        /// As what.
        role: Role,
        /// What the mail proves.
        proof: Proof,
        /// See above.
        authority: Option<Role>,
        /// When.
        at: Timestamp,
    },
    /// The invitation is not good any more.
    RevokeInvitation {
        /// Which.
        invitation: InvitationId,
        /// See above.
        authority: Option<Role>,
        /// When.
        at: Timestamp,
    },
    /// Who reads the address's mail becomes a member.
    AcceptInvitation {
        /// Which.
        invitation: InvitationId,
        /// Who.
        user: UserId,
        /// When.
        at: Timestamp,
    },
    /// Make a member something else.
    ChangeRole {
        /// Who.
        user: UserId,
        /// What they are to be.
        role: Role,
        /// See above.
        authority: Option<Role>,
        /// When.
        at: Timestamp,
    },
    /// Make somebody no member any more.
    RemoveMember {
        /// Who.
        user: UserId,
        /// See above.
        authority: Option<Role>,
        /// When.
        at: Timestamp,
    },
    /// A member wants to be none any more.
    Leave {
        /// Who.
        user: UserId,
        /// When.
        at: Timestamp,
    },
    /// Let nobody in for now.
    Suspend {
        /// When.
        at: Timestamp,
    },
    /// Let them in again.
    Restore {
        /// When.
        at: Timestamp,
    },
    /// Have something on or off, whatever holds for the deployment.
    SwitchFeature {
        /// Which.
        feature: Feature,
        /// Whether it is on; as for the deployment when absent.
        enabled: Option<bool>,
        /// When.
        at: Timestamp,
    },
    /// Be gone.
    Delete {
        /// When.
        at: Timestamp,
    },
}
