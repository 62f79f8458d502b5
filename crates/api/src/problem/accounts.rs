//! Problems of users, sign-in and API keys.

use axum::http::StatusCode;
use waxwing_app::commands::{
    ApiKeyCommandError, AuthenticateError, CreateAccountError, EndAccountError, MailTokenError, ProfileError,
    SignInError,
};
use waxwing_domain::{account::AccountError, api_key::ApiKeyError, user::UserError};

use super::{Kind, Problem};

/// After that another change of address may be asked for; see [`waxwing_domain::user::MAIL_PAUSE`].
const MAIL_PAUSE_S: u32 = 60;

pub(super) const KINDS: &[Kind] = &[
    (
        "invalid_credentials",
        StatusCode::UNAUTHORIZED,
        "The address or the password is wrong",
        "Whether the address is known is not said. A forgotten password is replaced with `POST /auth/forgot-password`.",
    ),
    (
        "totp_required",
        StatusCode::UNAUTHORIZED,
        "A code of the second factor is needed",
        "Send the code that the authenticator app shows, or a recovery code, as `totp` with address and password.",
    ),
    (
        "invalid_totp",
        StatusCode::UNAUTHORIZED,
        "The code of the second factor is wrong",
        "A code is good for about a minute, and once. Does the device show the right time?",
    ),
    (
        "account_suspended",
        StatusCode::FORBIDDEN,
        "The account is suspended",
        "The operator lets nobody of the account in for now. Its sessions are stopped; nothing is lost.",
    ),
    (
        "operators_account",
        StatusCode::CONFLICT,
        "This is the operator's account",
        "It can neither be suspended nor deleted: nobody could look after the installation.",
    ),
    (
        "no_user",
        StatusCode::FORBIDDEN,
        "Only a user may do this",
        "Use the access token of a sign-in: an API key has no name, no address and no password.",
    ),
    (
        "wrong_password",
        StatusCode::FORBIDDEN,
        "The password is wrong",
        "What lasts needs the password once more, since a sign-in may be stolen.",
    ),
    (
        "email_not_verified",
        StatusCode::FORBIDDEN,
        "The address has not been confirmed",
        "Send the token of the mail to `POST /auth/verify-email`. `POST /auth/forgot-password` sends another that confirms the address, too.",
    ),
    (
        "registration_closed",
        StatusCode::FORBIDDEN,
        "Nobody can register here",
        "The operator makes accounts, or opens registration by a setting.",
    ),
    (
        "email_taken",
        StatusCode::CONFLICT,
        "A user has this address already",
        "Sign in, or replace a forgotten password with `POST /auth/forgot-password`.",
    ),
    (
        "too_many_api_keys",
        StatusCode::CONFLICT,
        "The account has the most API keys it can have",
        "Delete one that is no longer needed.",
    ),
];

impl From<AuthenticateError> for Problem {
    fn from(error: AuthenticateError) -> Self {
        match error {
            AuthenticateError::Invalid => {
                Self::new("unauthorized", "The credential is missing or not valid.")
            },
            AuthenticateError::Suspended => Self::new("account_suspended", error.to_string()),
            AuthenticateError::Port(error) => error.into(),
        }
    }
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        let detail = error.to_string();
        match error {
            SignInError::InvalidCredentials => Self::new("invalid_credentials", detail),
            SignInError::EmailNotVerified => Self::new("email_not_verified", detail),
            SignInError::TotpRequired => Self::new("totp_required", detail).at("/totp"),
            SignInError::InvalidTotp => Self::new("invalid_totp", detail).at("/totp"),
            SignInError::NotAMember => Self::new("not_a_member", detail).at("/account_id"),
            SignInError::Port(error) => error.into(),
        }
    }
}

impl From<CreateAccountError> for Problem {
    fn from(error: CreateAccountError) -> Self {
        let detail = error.to_string();
        match error {
            CreateAccountError::EmailTaken => Self::new("email_taken", detail).at("/email"),
            CreateAccountError::InvalidPassword(_) => Self::field("/password", detail),
            CreateAccountError::UnknownHash => Self::field("/password_hash", detail),
            CreateAccountError::User(UserError::InvalidEmail) => Self::field("/email", detail),
            CreateAccountError::User(UserError::InvalidName)
            | CreateAccountError::Account(AccountError::InvalidName) => Self::field("/name", detail),
            CreateAccountError::User(_) | CreateAccountError::Account(_) => Self::new("conflict", detail),
            CreateAccountError::Port(error) => error.into(),
        }
    }
}

impl From<ProfileError> for Problem {
    fn from(error: ProfileError) -> Self {
        let detail = error.to_string();
        match error {
            ProfileError::WrongPassword => Self::new("wrong_password", detail).at("/password"),
            ProfileError::WrongCode => Self::field("/code", detail),
            ProfileError::NewPassword(_) => Self::field("/new_password", detail),
            ProfileError::User(UserError::InvalidName) => Self::field("/name", detail),
            ProfileError::User(UserError::InvalidEmail) => Self::field("/email", detail),
            ProfileError::User(UserError::TooSoon) => Self::rate_limited(detail, MAIL_PAUSE_S),
            ProfileError::User(_) => Self::new("conflict", detail),
            ProfileError::Port(error) => error.into(),
        }
    }
}

impl From<EndAccountError> for Problem {
    fn from(error: EndAccountError) -> Self {
        let detail = error.to_string();
        match error {
            EndAccountError::Operators => Self::new("operators_account", detail),
            EndAccountError::Account(error) => error.into(),
            EndAccountError::Profile(error) => error.into(),
            EndAccountError::Port(error) => error.into(),
        }
    }
}

impl From<MailTokenError> for Problem {
    fn from(error: MailTokenError) -> Self {
        match error {
            MailTokenError::InvalidToken => Self::field("/token", error.to_string()),
            MailTokenError::Account(error) => error.into(),
            MailTokenError::Port(error) => error.into(),
        }
    }
}

impl From<ApiKeyCommandError> for Problem {
    fn from(error: ApiKeyCommandError) -> Self {
        let detail = error.to_string();
        match error {
            ApiKeyCommandError::NoSuchSession(_) => Self::not_found("session").at("/session_ids"),
            ApiKeyCommandError::InvalidIpRange(place) => {
                Self::field(format!("/ip_allow_list/{place}"), detail)
            },
            ApiKeyCommandError::TooMany => Self::new("too_many_api_keys", detail),
            ApiKeyCommandError::ApiKey(error) => match error {
                ApiKeyError::InvalidName => Self::field("/name", detail),
                ApiKeyError::InvalidScopes | ApiKeyError::UnknownScope => Self::field("/scopes", detail),
                ApiKeyError::TooManySessions => Self::field("/session_ids", detail),
                ApiKeyError::InvalidIpAllowList => Self::field("/ip_allow_list", detail),
                ApiKeyError::ExpiresInThePast => Self::field("/expires_at", detail),
                ApiKeyError::InvalidRateLimit => Self::field("/rate_limit_per_min", detail),
                ApiKeyError::NotFound => Self::not_found("API key"),
                ApiKeyError::AlreadyExists => Self::new("conflict", detail),
            },
            ApiKeyCommandError::Idempotency(error) => error.into(),
            ApiKeyCommandError::Port(error) => error.into(),
        }
    }
}
