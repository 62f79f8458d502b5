//! The people of the simulated network: what they show, what they have linked, what they hand over.

use axum::{
    extract::{FromRequestParts, Path, State},
    http::request::Parts,
    response::Response,
};
use utoipa::IntoParams;
use waxwing_app::ports::SandboxRequest;
use waxwing_domain::PhoneNumber;

use super::sandbox::{call, get, of_phone, with};
use crate::{
    Api, Problem,
    extract::{Actor, Body, PhonePath, SandboxRead, SandboxWrite},
    shapes::{CallIn, CallOut, CompanionOut, Empty, HistoryIn, Page, ProfileIn, ProfileOut},
};

/// Get what a person shows
#[utoipa::path(get, path = "/sandbox/phones/{number}/profile", operation_id = "getSandboxProfile", tag = "sandbox",
    params(PhonePath), responses((status = 200, description = "The profile", body = ProfileOut)))]
pub(super) async fn get_profile(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    PhonePath(phone): PhonePath,
) -> Result<Response, Problem> {
    call::<ProfileOut>(&api, actor.account(), get(of_phone(&phone, "profile"))).await
}

/// Change what a person shows
///
/// Only the fields that are named. The sessions of acquaintances are told, as WhatsApp tells them.
#[utoipa::path(put, path = "/sandbox/phones/{number}/profile", operation_id = "setSandboxProfile", tag = "sandbox",
    params(PhonePath), request_body = ProfileIn,
    responses((status = 200, description = "The profile now", body = ProfileOut)))]
pub(super) async fn set_profile(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    PhonePath(phone): PhonePath,
    Body { value, .. }: Body<ProfileIn>,
) -> Result<Response, Problem> {
    call::<ProfileOut>(&api, actor.account(), with("PUT", of_phone(&phone, "profile"), &value)).await
}

/// List the devices that a phone has linked
#[utoipa::path(get, path = "/sandbox/phones/{number}/companions", operation_id = "listSandboxCompanions",
    tag = "sandbox", params(PhonePath),
    responses((status = 200, description = "Up to four, oldest first", body = Page<CompanionOut>)))]
pub(super) async fn list_companions(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    PhonePath(phone): PhonePath,
) -> Result<Response, Problem> {
    call::<Page<CompanionOut>>(&api, actor.account(), get(of_phone(&phone, "companions"))).await
}

/// A linked device in the address.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct DevicePath {
    /// The phone's number, with or without a leading `+`.
    #[param(value_type = String, example = "+15550001111")]
    number: PhoneNumber,
    /// The device's number.
    #[param(minimum = 1, example = 1)]
    device: u16,
}

impl FromRequestParts<Api> for DevicePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, api).await;
        let Path((number, device)) =
            path.map_err(|_| Problem::field("/path", "the address cannot be read"))?;
        let number = PhoneNumber::parse(number.trim())
            .map_err(|error| Problem::field("/path/number", error.to_string()))?;
        let device =
            device.parse().map_err(|_| Problem::field("/path/device", "expected the number of a device"))?;
        Ok(Self { number, device })
    }
}

/// Unlink a device, as its owner can on the phone
///
/// Its session is logged out.
#[utoipa::path(delete, path = "/sandbox/phones/{number}/companions/{device}",
    operation_id = "unlinkSandboxCompanion", tag = "sandbox", params(DevicePath),
    responses((status = 204, description = "Unlinked")))]
pub(super) async fn unlink(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    DevicePath { number, device }: DevicePath,
) -> Result<Response, Problem> {
    let path = of_phone(&number, &format!("companions/{device}"));
    call::<Empty>(&api, actor.account(), SandboxRequest { method: "DELETE", ..get(path) }).await
}

/// Set how much of its past a phone hands over
///
/// To each device that it links from now on: that many of its newest texts, those that it sent and those in its inbox.
#[utoipa::path(put, path = "/sandbox/phones/{number}/history", operation_id = "setSandboxHistory", tag = "sandbox",
    params(PhonePath), request_body = HistoryIn, responses((status = 204, description = "Set")))]
pub(super) async fn set_history(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    PhonePath(phone): PhonePath,
    Body { value, .. }: Body<HistoryIn>,
) -> Result<Response, Problem> {
    call::<Empty>(&api, actor.account(), with("PUT", of_phone(&phone, "history"), &value)).await
}

/// A call of a phone in the address.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct CallPath {
    /// The number of the phone that calls, with or without a leading `+`.
    #[param(value_type = String, example = "+15550002222")]
    number: PhoneNumber,
    /// The call's id.
    #[param(pattern = "^[0-9A-Z]{1,64}$", example = "AC0F3A5B")]
    call_id: String,
}

impl FromRequestParts<Api> for CallPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, api).await;
        let Path((number, call_id)) =
            path.map_err(|_| Problem::field("/path", "the address cannot be read"))?;
        let number = PhoneNumber::parse(number.trim())
            .map_err(|error| Problem::field("/path/number", error.to_string()))?;
        let valid = (1..=64).contains(&call_id.len())
            && call_id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        valid
            .then_some(Self { number, call_id })
            .ok_or_else(|| Problem::field("/path/call_id", "expected the id of a call"))
    }
}

/// Let a phone call somebody
///
/// All linked devices of the other person ring; a session that rejects calls declines. There is no sound.
#[utoipa::path(post, path = "/sandbox/phones/{number}/calls", operation_id = "createSandboxCall", tag = "sandbox",
    params(PhonePath), request_body = CallIn, responses((status = 202, description = "It rings", body = CallOut)))]
pub(super) async fn call_somebody(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    PhonePath(phone): PhonePath,
    Body { value, .. }: Body<CallIn>,
) -> Result<Response, Problem> {
    call::<CallOut>(&api, actor.account(), with("POST", of_phone(&phone, "calls"), &value)).await
}

/// Get what became of a call
#[utoipa::path(get, path = "/sandbox/phones/{number}/calls/{call_id}", operation_id = "getSandboxCall",
    tag = "sandbox", params(CallPath), responses((status = 200, description = "The call", body = CallOut)))]
pub(super) async fn get_call(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    CallPath { number, call_id }: CallPath,
) -> Result<Response, Problem> {
    call::<CallOut>(&api, actor.account(), get(of_phone(&number, &format!("calls/{call_id}")))).await
}

/// Hang up
#[utoipa::path(delete, path = "/sandbox/phones/{number}/calls/{call_id}", operation_id = "endSandboxCall",
    tag = "sandbox", params(CallPath), responses((status = 200, description = "The call", body = CallOut)))]
pub(super) async fn hang_up(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    CallPath { number, call_id }: CallPath,
) -> Result<Response, Problem> {
    let path = of_phone(&number, &format!("calls/{call_id}"));
    call::<CallOut>(&api, actor.account(), SandboxRequest { method: "DELETE", ..get(path) }).await
}
