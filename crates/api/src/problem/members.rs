//! Problems of accounts, members and invitations.

use axum::http::StatusCode;
use waxwing_app::commands::{AccountCommandError, CreateAccountError, InvitationError};
use waxwing_domain::{account::AccountError, user::UserError};

use super::{Kind, Problem};

pub(super) const KINDS: &[Kind] = &[
    (
        "role_too_high",
        StatusCode::FORBIDDEN,
        "The role may do more than the caller",
        "Nobody makes another more than they are, and nobody changes or removes somebody who is more. Ask an owner. An API key decides about a role if it has all of the role's scopes and may touch all sessions.",
    ),
    (
        "not_a_member",
        StatusCode::FORBIDDEN,
        "The user does not belong to the account",
        "Leave `account_id` out to sign in to the first account that the user joined. Who belongs to no account has to be invited to one.",
    ),
    (
        "last_owner",
        StatusCode::CONFLICT,
        "The account would have no owner",
        "Make another member an owner first.",
    ),
    (
        "account_member",
        StatusCode::CONFLICT,
        "The user is a member already",
        "`PATCH /members/{user_id}` changes what a member is.",
    ),
    (
        "already_invited",
        StatusCode::CONFLICT,
        "The address is invited already",
        "Revoke the open invitation first to send another.",
    ),
    (
        "too_many_members",
        StatusCode::CONFLICT,
        "The account has the most members it can have",
        "An account has 100 members. Remove one first.",
    ),
    (
        "too_many_invitations",
        StatusCode::CONFLICT,
        "The account has the most open invitations it can have",
        "100 can be open. Revoke one, or wait until some are accepted.",
    ),
    (
        "too_many_accounts",
        StatusCode::CONFLICT,
        "The user belongs to the most accounts possible",
        "A user belongs to 100 accounts. Leave one first.",
    ),
];

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let detail = error.to_string();
        match error {
            AccountError::NotFound => Self::not_found("account"),
            AccountError::NoSuchMember => Self::not_found("member"),
            AccountError::NoSuchInvitation => Self::not_found("invitation"),
            AccountError::InvalidName => Self::field("/name", detail),
            AccountError::InvalidEmail => Self::field("/email", detail),
            AccountError::NotOfAccounts => Self::field("/path/name", detail),
            AccountError::RoleTooHigh => Self::new("role_too_high", detail),
            AccountError::LastOwner => Self::new("last_owner", detail),
            AccountError::AlreadyMember => Self::new("account_member", detail),
            AccountError::AlreadyInvited => Self::new("already_invited", detail).at("/email"),
            AccountError::TooManyMembers => Self::new("too_many_members", detail),
            AccountError::TooManyInvitations => Self::new("too_many_invitations", detail),
            AccountError::AlreadyExists => Self::new("conflict", detail),
        }
    }
}

impl From<AccountCommandError> for Problem {
    fn from(error: AccountCommandError) -> Self {
        match error {
            AccountCommandError::Account(error) => error.into(),
            AccountCommandError::Port(error) => error.into(),
        }
    }
}

impl From<InvitationError> for Problem {
    fn from(error: InvitationError) -> Self {
        let detail = error.to_string();
        match error {
            InvitationError::InvalidToken => Self::field("/token", detail),
            InvitationError::NameNeeded => Self::field("/name", detail),
            InvitationError::PasswordNeeded => Self::field("/password", detail),
            InvitationError::User(CreateAccountError::User(UserError::TooManyAccounts)) => {
                Self::new("too_many_accounts", detail)
            },
            InvitationError::User(error) => error.into(),
            InvitationError::Account(error) => error.into(),
            InvitationError::Idempotency(error) => error.into(),
            InvitationError::Port(error) => error.into(),
        }
    }
}
