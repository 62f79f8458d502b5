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
    shapes::{CompanionOut, Empty, HistoryIn, Page, ProfileIn, ProfileOut},
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
