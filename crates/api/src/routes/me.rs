//! Who calls, and what users change about themselves.

use axum::{extract::State, http::StatusCode, response::Response};
use waxwing_app::queries;

use super::answer;
use crate::{
    Api, Problem,
    extract::{Actor, AnyScope, Body, Person},
    guesses::{Guessed, Try},
    rate_limit::{self, MAILS},
    shapes::{
        AcceptedOut, ChangeEmailIn, ChangeMeIn, ChangePasswordIn, DeleteMeIn, DisableTotpIn, EnableTotpIn,
        MeOut, OfferTotpIn, RecoveryCodesOut, TokensOut, TotpOfferOut,
    },
};

/// Looks at a password or a code of the person once more, as slowly as at a sign-in.
pub(super) async fn checked<T, E: Guessed>(
    api: &Api,
    person: &Person,
    check: impl Future<Output = Result<T, E>>,
) -> Result<T, Problem> {
    let email = queries::user_email(&api.commands.ports, person.id).await?;
    Try { email: email.as_deref(), address: person.address }.run(api, check).await
}

async fn me(api: &Api, actor: &Actor<AnyScope>) -> Result<Response, Problem> {
    let me = queries::me(&api.commands.ports, actor.caller()).await?;
    Ok(answer(StatusCode::OK, MeOut::from(me)))
}

/// Who am I
///
/// Any credential may ask.
#[utoipa::path(get, path = "/me", operation_id = "getMe", tag = "me",
    responses((status = 200, description = "The user or the API key, and the account", body = MeOut)))]
pub(super) async fn get_me(State(api): State<Api>, actor: Actor<AnyScope>) -> Result<Response, Problem> {
    me(&api, &actor).await
}

/// Change my profile
#[utoipa::path(patch, path = "/me", operation_id = "updateMe", tag = "me", request_body = ChangeMeIn,
    security(("bearer" = [])),
    responses((status = 200, description = "Changed", body = MeOut)))]
pub(super) async fn change_me(
    State(api): State<Api>,
    person: Person,
    body: Body<ChangeMeIn>,
) -> Result<Response, Problem> {
    api.commands.rename_user(person.id, body.value.name, &person.cause).await?;
    me(&api, &person.actor).await
}

/// Change my password
///
/// All sign-ins end; the answer has the tokens of a new one.
#[utoipa::path(post, path = "/me/password", operation_id = "changePassword", tag = "me", request_body = ChangePasswordIn,
    security(("bearer" = [])),
    responses((status = 200, description = "Changed, and signed in", body = TokensOut)))]
pub(super) async fn change_password(
    State(api): State<Api>,
    person: Person,
    body: Body<ChangePasswordIn>,
) -> Result<Response, Problem> {
    let ChangePasswordIn { password, new_password } = body.value;
    let who = (person.id, person.actor.account());
    let replace = api.commands.replace_password(who, (&password, &new_password), &person.cause);
    let signed_in = checked(&api, &person, replace).await?;
    Ok(answer(StatusCode::OK, TokensOut::from(signed_in)))
}

/// Change my address
///
/// Tokens go to the address of now and to the new one; `POST /auth/confirm-email-change` takes each. Until both were used,
/// within 24 hours, nothing changes.
#[utoipa::path(post, path = "/me/email", operation_id = "changeEmail", tag = "me", request_body = ChangeEmailIn,
    security(("bearer" = [])),
    responses((status = 202, description = "Two mails follow", body = AcceptedOut)))]
pub(super) async fn change_email(
    State(api): State<Api>,
    person: Person,
    body: Body<ChangeEmailIn>,
) -> Result<Response, Problem> {
    let ChangeEmailIn { email, password } = body.value;
    rate_limit::count_stranger(&api, &MAILS, person.address).await?;
    let request = api.commands.request_email_change(person.id, &password, email, &person.cause);
    checked(&api, &person, request).await?;
    let detail = "Mails follow to both addresses; both have to be confirmed.";
    Ok(answer(StatusCode::ACCEPTED, AcceptedOut { detail }))
}

/// Delete myself
///
/// The address is free again, all sign-ins end, and what is known of the user is made unreadable. Accounts that nobody else is
/// in go, too; of one with other members the last owner makes somebody else an owner first.
#[utoipa::path(post, path = "/me/delete", operation_id = "deleteMe", tag = "me", request_body = DeleteMeIn,
    security(("bearer" = [])),
    responses((status = 204, description = "Gone"), (status = 409, description = "An account would be without an owner")))]
pub(super) async fn delete_me(
    State(api): State<Api>,
    person: Person,
    body: Body<DeleteMeIn>,
) -> Result<StatusCode, Problem> {
    let DeleteMeIn { password, code } = body.value;
    let delete = api.commands.delete_user(person.id, (&password, code.as_ref()), &person.cause);
    checked(&api, &person, delete).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Set up a second factor
///
/// What an authenticator app has to know. It is needed at sign-in once `POST /me/totp/confirm` has taken a code, within 15
/// minutes.
#[utoipa::path(post, path = "/me/totp", operation_id = "offerTotp", tag = "me", request_body = OfferTotpIn,
    security(("bearer" = [])),
    responses((status = 201, description = "The secret, this once", body = TotpOfferOut),
        (status = 409, description = "There is a second factor already")))]
pub(super) async fn offer_totp(
    State(api): State<Api>,
    person: Person,
    body: Body<OfferTotpIn>,
) -> Result<Response, Problem> {
    let offer = api.commands.offer_totp(person.id, &body.value.password, &person.cause);
    let offer = checked(&api, &person, offer).await?;
    Ok(answer(StatusCode::CREATED, TotpOfferOut::from(offer)))
}

/// Confirm the second factor
///
/// With a code of the app. The answer has ten recovery codes, this once: each replaces the app one time.
#[utoipa::path(post, path = "/me/totp/confirm", operation_id = "confirmTotp", tag = "me", request_body = EnableTotpIn,
    security(("bearer" = [])),
    responses((status = 200, description = "Needed at sign-in from now on", body = RecoveryCodesOut),
        (status = 409, description = "Nothing waits to be confirmed")))]
pub(super) async fn enable_totp(
    State(api): State<Api>,
    person: Person,
    body: Body<EnableTotpIn>,
) -> Result<Response, Problem> {
    let enable = api.commands.enable_totp(person.id, &body.value.code, &person.cause);
    let codes = checked(&api, &person, enable).await?;
    Ok(answer(StatusCode::OK, RecoveryCodesOut::from(codes)))
}

/// Go without a second factor
#[utoipa::path(post, path = "/me/totp/disable", operation_id = "disableTotp", tag = "me", request_body = DisableTotpIn,
    security(("bearer" = [])),
    responses((status = 204, description = "Address and password are enough again"),
        (status = 409, description = "There is no second factor")))]
pub(super) async fn disable_totp(
    State(api): State<Api>,
    person: Person,
    body: Body<DisableTotpIn>,
) -> Result<StatusCode, Problem> {
    let DisableTotpIn { password, code } = body.value;
    let disable = api.commands.disable_totp(person.id, &password, &code, &person.cause);
    checked(&api, &person, disable).await?;
    Ok(StatusCode::NO_CONTENT)
}
