use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waxwing_app::{
    commands::TotpOffer,
    queries::{Me, Person},
};
use waxwing_domain::Secret;

use super::{AccountOut, ApiKeyOut, MembershipOut, Role};

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserOut {
    /// The id.
    #[schema(example = "usr_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    pub(crate) id: String,
    /// The address.
    pub(crate) email: String,
    /// The name.
    #[schema(required)]
    pub(crate) name: Option<String>,
    /// Whether the address is confirmed.
    pub(crate) email_verified: bool,
    /// Whether a code of an authenticator app is needed at sign-in.
    pub(crate) totp_enabled: bool,
    /// When the user registered.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
}

/// Who calls.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Me)]
pub(crate) struct MeOut {
    /// What the credential is.
    #[schema(example = "access_token")]
    pub(crate) credential: CredentialKind,
    /// The person; null for an API key.
    #[schema(required)]
    pub(crate) user: Option<UserOut>,
    /// The tenant.
    pub(crate) account: AccountOut,
    /// What the person is in the account; null for an API key.
    #[schema(required, example = "owner")]
    pub(crate) role: Option<Role>,
    /// All accounts to which the person belongs, oldest membership first; none for an API key.
    pub(crate) accounts: Vec<MembershipOut>,
    /// The key; null for a person.
    #[schema(required)]
    pub(crate) api_key: Option<ApiKeyOut>,
}

/// What a credential is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CredentialKind {
    /// The access token of a sign-in.
    AccessToken,
    /// An API key.
    ApiKey,
}

impl From<Me> for MeOut {
    fn from(me: Me) -> Self {
        let credential =
            if me.api_key.is_some() { CredentialKind::ApiKey } else { CredentialKind::AccessToken };
        let user = me.user.map(|Person { id, registered, email_verified, totp_enabled }| UserOut {
            id: id.to_string(),
            email: registered.email,
            name: registered.name,
            email_verified,
            totp_enabled,
            created_at: registered.at,
        });
        let account = AccountOut::new(me.account_id, me.account.as_ref());
        let accounts = me.accounts.into_iter().map(MembershipOut::from).collect();
        let api_key = me.api_key.as_ref().map(|key| ApiKeyOut::new(key, None));
        Self { credential, user, account, role: me.role.map(Role::from), accounts, api_key }
    }
}

/// What a user changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeMe)]
pub(crate) struct ChangeMeIn {
    /// What to call the person.
    #[schema(min_length = 1, max_length = 100, example = "Ada")]
    pub(crate) name: String,
}

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangePassword)]
pub(crate) struct ChangePasswordIn {
    /// The one of now.
    #[schema(value_type = String, format = "password")]
    pub(crate) password: Secret,
    /// 8 to 128 characters, and not easily guessed.
    #[schema(value_type = String, format = "password", min_length = 8, max_length = 128)]
    pub(crate) new_password: Secret,
}

/// Another address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeEmail)]
pub(crate) struct ChangeEmailIn {
    /// The new one.
    #[schema(format = "email", max_length = 254, example = "ada@example.org")]
    pub(crate) email: String,
    /// The password.
    #[schema(value_type = String, format = "password")]
    pub(crate) password: Secret,
}

/// Who wants a second factor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OfferTotp)]
pub(crate) struct OfferTotpIn {
    /// The password.
    #[schema(value_type = String, format = "password")]
    pub(crate) password: Secret,
}

/// What an authenticator app has to know.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TotpOffer)]
pub(crate) struct TotpOfferOut {
    /// In base32, to type it.
    secret: String,
    /// To show it as a QR code.
    #[schema(example = "otpauth://totp/Waxwing:ada%40example.com?secret=…&issuer=Waxwing")]
    otpauth_url: String,
}

impl From<TotpOffer> for TotpOfferOut {
    fn from(offer: TotpOffer) -> Self {
        Self { secret: offer.secret.0, otpauth_url: offer.otpauth_url.0 }
    }
}

/// A code of the app that was set up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConfirmTotp)]
pub(crate) struct EnableTotpIn {
    /// What it shows.
    #[schema(value_type = String, max_length = 32, example = "123456")]
    pub(crate) code: Secret,
}

/// What replaces the app.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecoveryCodes)]
pub(crate) struct RecoveryCodesOut {
    /// Each is good once.
    recovery_codes: Vec<String>,
}

impl From<Vec<Secret>> for RecoveryCodesOut {
    fn from(codes: Vec<Secret>) -> Self {
        Self { recovery_codes: codes.into_iter().map(|code| code.0).collect() }
    }
}

/// Who wants to go without a second factor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DisableTotp)]
pub(crate) struct DisableTotpIn {
    /// The password.
    #[schema(value_type = String, format = "password")]
    pub(crate) password: Secret,
    /// What the app shows, or a recovery code.
    #[schema(value_type = String, max_length = 32, example = "123456")]
    pub(crate) code: Secret,
}

/// Who wants to be gone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeleteMe)]
pub(crate) struct DeleteMeIn {
    /// The password.
    #[schema(value_type = String, format = "password")]
    pub(crate) password: Secret,
    /// Of a user with a second factor: what the app shows, or a recovery code.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 32, example = "123456")]
    pub(crate) code: Option<Secret>,
}
