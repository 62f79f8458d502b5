//! A tenant: its name, its members, and who is invited to become one. This stream is the truth about membership, since it
//! is where an account's last owner is known; what a user remembers of accounts is a hint.

mod command;
mod error;
mod event;
mod role;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use command::AccountCommand;
pub use error::AccountError;
pub use event::{
    AccountCreated, AccountDeleted, AccountEvent, AccountFeatureSwitched, AccountRenamed, AccountRestored,
    AccountSuspended, InvitationAccepted, InvitationRevoked, Invited, MemberAdded, MemberRemoved,
    MemberRoleChanged,
};
use jiff::{SignedDuration, Timestamp};
pub use role::{RESOURCES, Role, least_role};
use serde::{Deserialize, Serialize};

use crate::{Feature, InvitationId, UserId, user::is_address};

/// Longest name of an account, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// Most members of one account.
pub const MEMBERS_MAX: usize = 100;
/// Most invitations of one account that are open at the same time.
pub const INVITATIONS_MAX: usize = 100;
/// How long an invitation is good.
pub const INVITATION_TTL: SignedDuration = SignedDuration::from_hours(7 * 24);

/// State of one account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    created: Option<AccountCreated>,
    members: BTreeMap<UserId, Member>,
    /// Neither accepted nor revoked; some may be over.
    invitations: BTreeMap<InvitationId, Invited>,
    #[serde(default)]
    suspended: bool,
    #[serde(default)]
    features: BTreeMap<Feature, bool>,
    #[serde(default)]
    deleted: bool,
}

/// A user in an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// What they are.
    pub role: Role,
    /// Since when they are a member.
    pub joined_at: Timestamp,
}

impl Account {
    /// Its name of now, its first owner, when it was made; `None` for one that does not exist.
    pub fn created(&self) -> Option<&AccountCreated> {
        self.created.as_ref()
    }

    /// True while nobody is let in.
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// What the operator switched for this account, and whether it is on.
    pub fn features(&self) -> &BTreeMap<Feature, bool> {
        &self.features
    }

    /// True once it is gone.
    pub fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// All members, by their ids.
    pub fn members(&self) -> &BTreeMap<UserId, Member> {
        &self.members
    }

    /// What the user is in the account; `None` for one who is no member.
    pub fn role_of(&self, user: UserId) -> Option<Role> {
        self.members.get(&user).map(|member| member.role)
    }

    /// The invitations that can still be accepted, oldest first.
    pub fn open_invitations(&self, now: Timestamp) -> impl Iterator<Item = &Invited> {
        self.invitations.values().filter(move |invited| now < invited.expires_at)
    }

    /// Which events follow from the command.
    pub fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, AccountError> {
        use AccountCommand as C;
        let Some(account) = &self.created else {
            return match command {
                _ if self.deleted => Err(AccountError::NotFound),
                C::Create { name, owner, at } => {
                    named(&name)?;
                    Ok(vec![AccountCreated { name, owner, at }.into()])
                },
                _ => Err(AccountError::NotFound),
            };
        };
        match command {
            C::Create { .. } => Err(AccountError::AlreadyExists),
            C::Rename { name, .. } if name == account.name => Ok(vec![]),
            C::Rename { name, at } => {
                named(&name)?;
                Ok(vec![AccountRenamed { name, at }.into()])
            },
            C::Invite { invitation, email, role, proof, authority, at } => {
                self.can_invite(&email, at)?;
                within(authority, role)?;
                let (nonce, expires_at, account_name) = (proof.nonce, proof.expires_at, account.name.clone());
                Ok(vec![Invited { invitation, email, role, account_name, nonce, expires_at, at }.into()])
            },
            C::RevokeInvitation { invitation, authority, at } => {
                within(authority, self.open(invitation, at)?.role)?;
                Ok(vec![InvitationRevoked { invitation, at }.into()])
            },
            C::AcceptInvitation { invitation, user, at } => {
                let role = self.open(invitation, at)?.role;
                match (self.role_of(user), self.members.len()) {
                    (Some(_), _) => Err(AccountError::AlreadyMember),
                    (None, MEMBERS_MAX..) => Err(AccountError::TooManyMembers),
                    (None, _) => Ok(vec![
                        InvitationAccepted { invitation, user, at }.into(),
                        MemberAdded { user, role, at }.into(),
                    ]),
                }
            },
            C::ChangeRole { user, role, authority, at } => {
                let before = self.role_of(user).ok_or(AccountError::NoSuchMember)?;
                within(authority, before.max(role))?;
                match before == role {
                    true => Ok(vec![]),
                    false => {
                        self.keeps_an_owner(user, Some(role))?;
                        Ok(vec![MemberRoleChanged { user, role, at }.into()])
                    },
                }
            },
            C::RemoveMember { user, authority, at } => {
                within(authority, self.role_of(user).ok_or(AccountError::NoSuchMember)?)?;
                self.without(user, at)
            },
            C::Suspend { at } => {
                Ok(if self.suspended { vec![] } else { vec![AccountSuspended { at }.into()] })
            },
            C::Restore { at } => {
                Ok(if self.suspended { vec![AccountRestored { at }.into()] } else { vec![] })
            },
            C::SwitchFeature { feature, .. } if !feature.is_of_accounts() => Err(AccountError::NotOfAccounts),
            C::SwitchFeature { feature, enabled, at } => {
                Ok(match self.features.get(&feature).copied() == enabled {
                    true => vec![],
                    false => vec![AccountFeatureSwitched { feature, enabled, at }.into()],
                })
            },
            C::Delete { at } => Ok(vec![AccountDeleted { at }.into()]),
            C::Leave { user, at } => {
                self.role_of(user).ok_or(AccountError::NoSuchMember)?;
                self.without(user, at)
            },
        }
    }

    fn can_invite(&self, email: &str, at: Timestamp) -> Result<(), AccountError> {
        if !is_address(email) {
            return Err(AccountError::InvalidEmail);
        }
        if self.open_invitations(at).any(|open| open.email.to_lowercase() == email.to_lowercase()) {
            return Err(AccountError::AlreadyInvited);
        }
        match self.open_invitations(at).count() {
            INVITATIONS_MAX.. => Err(AccountError::TooManyInvitations),
            _ => Ok(()),
        }
    }

    fn open(&self, invitation: InvitationId, at: Timestamp) -> Result<&Invited, AccountError> {
        let open = self.invitations.get(&invitation).filter(|invited| at < invited.expires_at);
        open.ok_or(AccountError::NoSuchInvitation)
    }

    fn without(&self, user: UserId, at: Timestamp) -> Result<Vec<AccountEvent>, AccountError> {
        self.keeps_an_owner(user, None)?;
        Ok(vec![MemberRemoved { user, at }.into()])
    }

    /// True also when the user is made `role`, or removed.
    fn keeps_an_owner(&self, user: UserId, role: Option<Role>) -> Result<(), AccountError> {
        let mut others = self.members.iter().filter(|(id, _)| **id != user);
        match role == Some(Role::Owner) || others.any(|(_, member)| member.role == Role::Owner) {
            true => Ok(()),
            false => Err(AccountError::LastOwner),
        }
    }

    fn apply_event(&mut self, event: AccountEvent) {
        use AccountEvent as E;
        match event {
            E::Created(created) => {
                let owner = Member { role: Role::Owner, joined_at: created.at };
                self.members.insert(created.owner, owner);
                self.created = Some(created);
            },
            E::Renamed(AccountRenamed { name, .. }) => {
                if let Some(created) = &mut self.created {
                    created.name = name;
                }
            },
            E::Invited(invited) => {
                // Those whose time is over are of no use to anybody.
                self.invitations.retain(|_, open| invited.at < open.expires_at);
                self.invitations.insert(invited.invitation, invited);
            },
            E::InvitationRevoked(InvitationRevoked { invitation, .. })
            | E::InvitationAccepted(InvitationAccepted { invitation, .. }) => {
                self.invitations.remove(&invitation);
            },
            E::MemberAdded(MemberAdded { user, role, at }) => {
                self.members.insert(user, Member { role, joined_at: at });
            },
            E::MemberRoleChanged(MemberRoleChanged { user, role, .. }) => {
                if let Some(member) = self.members.get_mut(&user) {
                    member.role = role;
                }
            },
            E::Suspended(_) => self.suspended = true,
            E::Restored(_) => self.suspended = false,
            E::FeatureSwitched(AccountFeatureSwitched { feature, enabled, .. }) => {
                match enabled {
                    Some(enabled) => self.features.insert(feature, enabled),
                    None => self.features.remove(&feature),
                };
            },
            // Nothing is known of it any more.
            E::Deleted(_) => *self = Self { deleted: true, ..Self::default() },
            E::MemberRemoved(MemberRemoved { user, .. }) => {
                self.members.remove(&user);
            },
        }
    }
}

fn named(name: &str) -> Result<(), AccountError> {
    match (1..=NAME_CHARS_MAX).contains(&name.trim().chars().count()) {
        true => Ok(()),
        false => Err(AccountError::InvalidName),
    }
}

fn within(authority: Option<Role>, role: Role) -> Result<(), AccountError> {
    match authority.is_some_and(|highest| role <= highest) {
        true => Ok(()),
        false => Err(AccountError::RoleTooHigh),
    }
}

aggregate!(Account, "account", AccountCommand, AccountEvent, AccountError);
