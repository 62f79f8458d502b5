use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waxwing_app::{commands::SignedIn, kept_mail::KeptMailView};
use waxwing_domain::{AccountId, Secret};

use super::{AccountOut, Role, UserOut};

/// Who registers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Register)]
pub(crate) struct RegisterIn {
    /// The address; the mail with the token goes there.
    #[schema(format = "email", max_length = 254, example = "ada@example.com")]
    pub(crate) email: String,
    /// 8 to 128 characters, and not easily guessed: neither the address nor a common word alone.
    #[schema(value_type = String, format = "password", min_length = 8, max_length = 128)]
    pub(crate) password: Secret,
    /// Of the person, and at first of the account.
    #[schema(min_length = 1, max_length = 100, example = "Ada")]
    pub(crate) name: String,
}

/// The token of a mail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VerifyEmail)]
pub(crate) struct VerifyEmailIn {
    /// As it stands in the mail. Good once, for 24 hours.
    #[schema(value_type = String, max_length = 128)]
    pub(crate) token: Secret,
}

/// The address is confirmed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmailVerified)]
pub(crate) struct EmailVerifiedOut {
    /// Always true.
    pub(crate) email_verified: bool,
}

/// Who signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Login)]
pub(crate) struct LoginIn {
    /// The address.
    #[schema(max_length = 254, example = "ada@example.com")]
    pub(crate) email: String,
    /// The password.
    #[schema(value_type = String, format = "password")]
    pub(crate) password: Secret,
    /// Of a user with a second factor: what the authenticator app shows, or a recovery code.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 32, example = "123456")]
    pub(crate) totp: Option<Secret>,
    /// To which of the user's accounts; the first that the user joined when absent. `GET /me` lists them.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "acc_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    pub(crate) account_id: Option<AccountId>,
}

/// The tokens of a sign-in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tokens)]
pub(crate) struct TokensOut {
    /// A JWT: `Authorization: Bearer …`.
    access_token: String,
    /// For `POST /auth/refresh`. Good once; it is over after 30 days.
    refresh_token: String,
    /// How the access token is sent.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds for which the access token is good.
    #[schema(example = 900)]
    expires_in_s: i64,
}

impl From<SignedIn> for TokensOut {
    fn from(signed_in: SignedIn) -> Self {
        let SignedIn { access_token, refresh_token, expires_in } = signed_in;
        Self {
            access_token: access_token.0,
            refresh_token: refresh_token.0,
            token_type: "Bearer",
            expires_in_s: expires_in.as_secs(),
        }
    }
}

/// A refresh token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Refresh)]
pub(crate) struct RefreshIn {
    /// The one that came with the last tokens.
    #[schema(value_type = String, max_length = 128)]
    pub(crate) refresh_token: Secret,
}

/// Which sign-in ends, where the access token does not say it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Logout)]
pub(crate) struct LogoutIn {
    /// A refresh token of the sign-in.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    pub(crate) refresh_token: Option<Secret>,
}

/// Whose password is forgotten.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EmailAddress)]
pub(crate) struct AddressIn {
    /// The address.
    #[schema(max_length = 254, example = "ada@example.com")]
    pub(crate) email: String,
}

/// What follows if a user has the address.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Accepted)]
pub(crate) struct AcceptedOut {
    /// For people.
    pub(crate) detail: &'static str,
}

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResetPassword)]
pub(crate) struct ResetPasswordIn {
    /// As it stands in the mail. Good once, for an hour.
    #[schema(value_type = String, max_length = 128)]
    pub(crate) token: Secret,
    /// 8 to 128 characters, and not easily guessed: neither the address nor a common word alone.
    #[schema(value_type = String, format = "password", min_length = 8, max_length = 128)]
    pub(crate) password: Secret,
}

/// The password is another.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PasswordReset)]
pub(crate) struct PasswordResetOut {
    /// Always true.
    pub(crate) password_changed: bool,
}

/// The token of one of the two mails.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConfirmEmailChange)]
pub(crate) struct ConfirmEmailChangeIn {
    /// As it stands in the mail. Good for 24 hours.
    #[schema(value_type = String, max_length = 128)]
    pub(crate) token: Secret,
}

/// How far the change of an address is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmailChange)]
pub(crate) struct EmailChangeOut {
    /// False while the other address has not agreed.
    pub(crate) email_changed: bool,
}

/// Who registered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Registered)]
pub(crate) struct RegisteredOut {
    /// The person.
    pub(crate) user: UserOut,
    /// The account that the person owns.
    pub(crate) account: AccountOut,
    /// `owner`.
    #[schema(example = "owner")]
    pub(crate) role: Role,
}

/// Mails, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Mails)]
pub(crate) struct MailsOut {
    /// Up to 1,000.
    pub(crate) data: Vec<MailOut>,
}

/// A mail that was kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Mail)]
pub(crate) struct MailOut {
    /// The address.
    to: String,
    /// One line.
    subject: String,
    /// Plain text.
    text: String,
    /// The same as HTML.
    html: String,
    /// The token that it carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    token: Option<String>,
    /// When it was kept.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<KeptMailView> for MailOut {
    fn from(mail: KeptMailView) -> Self {
        let KeptMailView { to, subject, text, html, token, created_at } = mail;
        Self { to, subject, text: text.0, html: html.0, token: token.map(|token| token.0), created_at }
    }
}
