use waxwing_domain::{
    InvitationId, Timestamp, UserId,
    account::{Invited, Role},
};

/// A member of an account, as the other members see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// The user.
    pub id: UserId,
    /// The address; `None` for a user who is gone.
    pub email: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// What they are.
    pub role: Role,
    /// Since when they are a member.
    pub joined_at: Timestamp,
}

/// An open invitation, without anything by which it could be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationView {
    /// Its id.
    pub id: InvitationId,
    /// The address.
    pub email: String,
    /// As what.
    pub role: Role,
    /// How long it can be accepted.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

impl InvitationView {
    /// What is shown of an invitation.
    pub fn new(invited: &Invited) -> Self {
        let Invited { invitation, email, role, expires_at, at, .. } = invited.clone();
        Self { id: invitation, email, role, expires_at, created_at: at }
    }
}
