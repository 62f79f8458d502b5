//! Users: register, sign in, stay signed in, sign out.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode, response::Response};
use waxwing_app::{
    commands::{Caller, CreatedAccount, Principal, Registration},
    queries,
};
use waxwing_domain::{Feature, account::Role};

use super::answer;
use crate::{
    Api, Problem,
    extract::{Actor, AnyScope, Body, Person, Stranger},
    rate_limit::{self, MAILS, REGISTRATIONS},
    shapes::{
        AcceptedOut, AddressIn, ConfirmEmailChangeIn, EmailChangeOut, EmailVerifiedOut, LoginIn, LogoutIn,
        MeOut, PasswordResetOut, RefreshIn, RegisterIn, RegisteredOut, ResetPasswordIn, TokensOut,
        VerifyEmailIn,
    },
};

/// Most characters of an e-mail address (RFC 5321, 4.5.3.1.3).
const EMAIL_CHARS_MAX: usize = 254;
/// No token is longer.
const TOKEN_CHARS_MAX: usize = 128;

/// Register
///
/// Makes a user and an account that the user owns, and sends a token to the address, which has to be confirmed before the
/// first sign-in. 20 registrations a minute from one address.
#[utoipa::path(post, path = "/auth/register", operation_id = "register", tag = "auth", request_body = RegisterIn,
    security(()), responses((status = 201, description = "Made", body = RegisteredOut)))]
pub(super) async fn register(
    State(api): State<Api>,
    Stranger { cause, address }: Stranger,
    body: Result<Body<RegisterIn>, Problem>,
) -> Result<Response, Problem> {
    if !api.features.is_on(Feature::Registration, &BTreeMap::new()).await? {
        return Err(Problem::new("registration_closed", "Ask the operator for an account."));
    }
    let RegisterIn { email, password, name } = body?.value;
    rate_limit::count_stranger(&api, &REGISTRATIONS, address).await?;
    let registration = Registration { email, password, name };
    let CreatedAccount { account, owner: id } = api.commands.register(registration, &cause).await?;
    let principal = Principal::User { id, sign_in: String::new(), role: Role::Owner };
    let caller = Caller { account, principal, features: BTreeMap::new() };
    let MeOut { user, account, role, .. } = queries::me(&api.commands.ports, &caller).await?.into();
    match (user, role) {
        (Some(user), Some(role)) => Ok(answer(StatusCode::CREATED, RegisteredOut { user, account, role })),
        _ => Err(Problem::new("internal", "Something went wrong here.")),
    }
}

/// Confirm an address
#[utoipa::path(post, path = "/auth/verify-email", operation_id = "verifyEmail", tag = "auth", request_body = VerifyEmailIn,
    security(()), responses((status = 200, description = "Confirmed", body = EmailVerifiedOut)))]
pub(super) async fn verify_email(
    State(api): State<Api>,
    stranger: Stranger,
    body: Body<VerifyEmailIn>,
) -> Result<Response, Problem> {
    let verify = api.commands.verify_email(&body.value.token, &stranger.cause);
    stranger.guess(None).run(&api, verify).await?;
    Ok(answer(StatusCode::OK, EmailVerifiedOut { email_verified: true }))
}

/// Sign in
///
/// The answer to a wrong password and to an unknown address is the same. Wrong passwords and codes are slowed: 20 of one user
/// from one address, then one a minute; 100 of one user from addresses that are new to the user, then one a minute. A user
/// with a second factor who sends no code gets `totp_required`. Who belongs to several accounts chooses one with `account_id`.
#[utoipa::path(post, path = "/auth/login", operation_id = "login", tag = "auth", request_body = LoginIn,
    security(()), responses((status = 200, description = "Signed in", body = TokensOut)))]
pub(super) async fn login(
    State(api): State<Api>,
    stranger: Stranger,
    body: Body<LoginIn>,
) -> Result<Response, Problem> {
    let LoginIn { email, password, totp, account_id } = body.value;
    let guess = stranger.guess(Some(&email));
    let sign_in = api.commands.sign_in(&email, &password, totp.as_ref(), account_id, &stranger.cause);
    let signed_in = guess.run(&api, sign_in).await?;
    guess.remember(&api).await?;
    Ok(answer(StatusCode::OK, TokensOut::from(signed_in)))
}

/// Get new tokens
///
/// The refresh token is used up by that. One that is used twice ends the sign-in: somebody else may have it.
#[utoipa::path(post, path = "/auth/refresh", operation_id = "refreshTokens", tag = "auth", request_body = RefreshIn,
    security(()), responses((status = 200, description = "New tokens", body = TokensOut)))]
pub(super) async fn refresh(
    State(api): State<Api>,
    stranger: Stranger,
    body: Body<RefreshIn>,
) -> Result<Response, Problem> {
    let signed_in = stranger.guess(None).run(&api, api.commands.refresh(&body.value.refresh_token)).await?;
    Ok(answer(StatusCode::OK, TokensOut::from(signed_in)))
}

/// Sign out
///
/// Ends the sign-in of the access token, and that of a refresh token in the body: all their tokens are dead at once.
/// One of the two is needed.
#[utoipa::path(post, path = "/auth/logout", operation_id = "logout", tag = "auth", request_body = Option<LogoutIn>,
    security((), ("bearer" = [])), responses((status = 204, description = "Signed out")))]
pub(super) async fn logout(
    State(api): State<Api>,
    actor: Result<Actor<AnyScope>, Problem>,
    body: Option<Body<LogoutIn>>,
) -> Result<StatusCode, Problem> {
    let token = body.and_then(|body| body.value.refresh_token);
    if let Some(token) = &token {
        if token.0.chars().count() > TOKEN_CHARS_MAX {
            return Err(Problem::field("/refresh_token", "expected up to 128 characters"));
        }
        api.commands.sign_out(token).await?;
    }
    match actor.as_ref().map(|actor| &actor.caller().principal) {
        Ok(Principal::User { sign_in, .. }) => api.commands.end_sign_in(sign_in).await?,
        _ if token.is_some() => {},
        Ok(Principal::ApiKey { .. }) => {
            return Err(Problem::new("forbidden", "An API key is not signed in; delete it to end it."));
        },
        Err(problem) => return Err(problem.clone()),
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Sign out everywhere
///
/// All sign-ins of the user end, also this one.
#[utoipa::path(post, path = "/auth/logout-all", operation_id = "logoutEverywhere", tag = "auth",
    security(("bearer" = [])),
    responses((status = 204, description = "Signed out")))]
pub(super) async fn logout_everywhere(State(api): State<Api>, person: Person) -> Result<StatusCode, Problem> {
    api.commands.sign_out_everywhere(person.id, &person.cause).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Confirm another address
///
/// With the token of a mail. The address is another once both have agreed, the one of before and the one to be.
#[utoipa::path(post, path = "/auth/confirm-email-change", operation_id = "confirmEmailChange", tag = "auth",
    request_body = ConfirmEmailChangeIn, security(()),
    responses((status = 200, description = "Noted", body = EmailChangeOut), (status = 409, description = "Another user has the address by now")))]
pub(super) async fn confirm_email_change(
    State(api): State<Api>,
    stranger: Stranger,
    body: Body<ConfirmEmailChangeIn>,
) -> Result<Response, Problem> {
    let confirm = api.commands.confirm_email_change(&body.value.token, &stranger.cause);
    let email_changed = stranger.guess(None).run(&api, confirm).await?;
    Ok(answer(StatusCode::OK, EmailChangeOut { email_changed }))
}

/// Ask for another password
///
/// The answer is the same whether a user has the address or not. While the token of an earlier mail is good, for an hour, no
/// further mail follows.
#[utoipa::path(post, path = "/auth/forgot-password", operation_id = "forgotPassword", tag = "auth",
    request_body = AddressIn, security(()),
    responses((status = 202, description = "A mail follows if a user has the address", body = AcceptedOut)))]
pub(super) async fn forgot_password(
    State(api): State<Api>,
    stranger: Stranger,
    body: Body<AddressIn>,
) -> Result<Response, Problem> {
    let email = asked_address(&api, &stranger, body).await?;
    api.commands.forgot_password(&email, &stranger.cause).await?;
    let detail = "A mail follows if a user has this address.";
    Ok(answer(StatusCode::ACCEPTED, AcceptedOut { detail }))
}

/// Ask for the code once more that proves an address
///
/// The answer is the same whether a user has the address or not. The mail is the one of the registration, with the same code as
/// long as that is good, once a minute at most and ten times.
#[utoipa::path(post, path = "/auth/resend-verification", operation_id = "resendVerification", tag = "auth",
    request_body = AddressIn, security(()),
    responses((status = 202, description = "A mail follows if a user has the address and has not proven it", body = AcceptedOut)))]
pub(super) async fn resend_verification(
    State(api): State<Api>,
    stranger: Stranger,
    body: Body<AddressIn>,
) -> Result<Response, Problem> {
    let email = asked_address(&api, &stranger, body).await?;
    api.commands.resend_verification(&email, &stranger.cause).await?;
    let detail = "A mail follows if a user has this address and has not confirmed it.";
    Ok(answer(StatusCode::ACCEPTED, AcceptedOut { detail }))
}

/// The address about which a stranger asks for a mail.
async fn asked_address(api: &Api, stranger: &Stranger, body: Body<AddressIn>) -> Result<String, Problem> {
    let AddressIn { email } = body.value;
    if email.chars().count() > EMAIL_CHARS_MAX {
        return Err(Problem::field("/email", "expected up to 254 characters"));
    }
    rate_limit::count_stranger(api, &MAILS, stranger.address).await?;
    Ok(email)
}

/// Set another password
///
/// All sign-ins of the user end.
#[utoipa::path(post, path = "/auth/reset-password", operation_id = "resetPassword", tag = "auth",
    request_body = ResetPasswordIn, security(()),
    responses((status = 200, description = "Set", body = PasswordResetOut)))]
pub(super) async fn reset_password(
    State(api): State<Api>,
    stranger: Stranger,
    body: Body<ResetPasswordIn>,
) -> Result<Response, Problem> {
    let ResetPasswordIn { token, password } = body.value;
    let reset = api.commands.reset_password(&token, &password, &stranger.cause);
    let email = stranger.guess(None).run(&api, reset).await?;
    // Whoever has the mailbox is the owner: an attack from elsewhere does not keep them out.
    stranger.guess(Some(&email)).remember(&api).await?;
    Ok(answer(StatusCode::OK, PasswordResetOut { password_changed: true }))
}
