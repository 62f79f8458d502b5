//! The simulated network, for tests of what is built on Waxwing: phones that scan, receive, read and answer.

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use waxwing_app::{
    ports::{SandboxAnswer, SandboxRequest},
    queries,
};
use waxwing_domain::{AccountId, SessionId};

use super::answer;
use crate::{
    Api, Problem,
    extract::{Actor, Body, IdempotencyKey, PageQuery, PhonePath, SandboxRead, SandboxWrite, ValidQuery},
    shapes::{CreatePhoneIn, SandboxMessageIn, ScanIn},
};

static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Calls the network and answers as it does; what it refuses becomes a problem.
async fn call(api: &Api, account: AccountId, request: SandboxRequest) -> Result<Response, Problem> {
    let sandbox = api.sandbox.as_ref().ok_or_else(|| Problem::not_found("sandbox; this is a live build"))?;
    let SandboxAnswer { status, body, replayed } = sandbox.call(account, request).await?;
    if (200..300).contains(&status) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        let mut response = match status {
            StatusCode::NO_CONTENT => status.into_response(),
            _ => answer(status, body),
        };
        if replayed {
            response.headers_mut().insert(REPLAYED.clone(), HeaderValue::from_static("true"));
        }
        return Ok(response);
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    match (text("code"), (400..500).contains(&status) && status != 401) {
        (Some(code), true) => {
            Err(Problem::from_sandbox(status, code, text("detail").unwrap_or_default(), text("pointer")))
        },
        _ => {
            tracing::error!(status, "the sandbox failed");
            Err(Problem::new("unavailable", "The sandbox cannot do this right now."))
        },
    }
}

/// Make a phone
///
/// It is online, acknowledges delivery, and does not answer until its behaviour says so.
#[utoipa::path(post, path = "/sandbox/phones", operation_id = "createSandboxPhone", tag = "sandbox",
    request_body = CreatePhoneIn, responses(
        (status = 201, description = "Made", body = Value),
        (status = 200, description = "It was there before", body = Value)))]
pub(super) async fn create_phone(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    body: Body<CreatePhoneIn>,
) -> Result<Response, Problem> {
    call(&api, actor.account(), SandboxRequest::CreatePhone(json!(body.value))).await
}

/// List phones
#[utoipa::path(get, path = "/sandbox/phones", operation_id = "listSandboxPhones", tag = "sandbox", params(PageQuery),
    responses((status = 200, description = "A page", body = Value)))]
pub(super) async fn list_phones(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    ValidQuery(page): ValidQuery<PageQuery>,
) -> Result<Response, Problem> {
    let (limit, cursor) = page.passed_on()?;
    call(&api, actor.account(), SandboxRequest::Phones { limit, cursor }).await
}

/// Let a phone scan a session's code
#[utoipa::path(post, path = "/sandbox/phones/{number}/scan", operation_id = "scanSandboxQr", tag = "sandbox",
    params(("number" = String, Path, description = "The phone's number.")), request_body = ScanIn,
    responses((status = 202, description = "Scanned; the session connects", body = Value)))]
pub(super) async fn scan(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    PhonePath(phone): PhonePath,
    body: Body<ScanIn>,
) -> Result<Response, Problem> {
    call(&api, actor.account(), SandboxRequest::Scan(phone, json!(body.value))).await
}

/// Let a phone enter a pairing code
#[utoipa::path(post, path = "/sandbox/phones/{number}/enter-code", operation_id = "enterSandboxCode", tag = "sandbox",
    params(("number" = String, Path, description = "The phone's number.")), request_body = Value,
    responses((status = 202, description = "Entered", body = Value)))]
pub(super) async fn enter_code(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    PhonePath(phone): PhonePath,
    body: Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    call(&api, actor.account(), SandboxRequest::EnterCode(phone, json!(body.value))).await
}

/// Let a phone send a message
#[utoipa::path(post, path = "/sandbox/phones/{number}/messages", operation_id = "sendFromSandboxPhone", tag = "sandbox",
    params(("number" = String, Path, description = "The phone's number."),
           ("Idempotency-Key" = Option<String>, Header, description = "Repeats this request safely.")),
    request_body = SandboxMessageIn, responses((status = 202, description = "Sent", body = Value)))]
pub(super) async fn send_from_phone(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    PhonePath(phone): PhonePath,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    body: Body<SandboxMessageIn>,
) -> Result<Response, Problem> {
    let request = SandboxRequest::Send { phone, message: json!(body.value), idempotency_key };
    call(&api, actor.account(), request).await
}

/// Look into a phone's inbox
///
/// What it decrypted, oldest first; `copies` is how often the network handed it the same id.
#[utoipa::path(get, path = "/sandbox/phones/{number}/inbox", operation_id = "getSandboxInbox", tag = "sandbox",
    params(("number" = String, Path, description = "The phone's number."), PageQuery),
    responses((status = 200, description = "A page", body = Value)))]
pub(super) async fn inbox(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    PhonePath(phone): PhonePath,
    ValidQuery(page): ValidQuery<PageQuery>,
) -> Result<Response, Problem> {
    let (limit, cursor) = page.passed_on()?;
    call(&api, actor.account(), SandboxRequest::Inbox { phone, limit, cursor }).await
}

/// Get a phone's behaviour
#[utoipa::path(get, path = "/sandbox/phones/{number}/behaviour", operation_id = "getSandboxBehaviour", tag = "sandbox",
    params(("number" = String, Path, description = "The phone's number.")),
    responses((status = 200, description = "Its behaviour", body = Value)))]
pub(super) async fn get_behaviour(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    PhonePath(phone): PhonePath,
) -> Result<Response, Problem> {
    call(&api, actor.account(), SandboxRequest::Behaviour(phone)).await
}

/// Change a phone's behaviour
///
/// Only the fields that are named: `online`, `read_after_ms`, `reply`, `typing_ms`.
#[utoipa::path(put, path = "/sandbox/phones/{number}/behaviour", operation_id = "setSandboxBehaviour", tag = "sandbox",
    params(("number" = String, Path, description = "The phone's number.")), request_body = Value,
    responses((status = 200, description = "Its behaviour now", body = Value)))]
pub(super) async fn set_behaviour(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    PhonePath(phone): PhonePath,
    body: Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    call(&api, actor.account(), SandboxRequest::SetBehaviour(phone, json!(body.value))).await
}

/// Add a fault
#[utoipa::path(post, path = "/sandbox/faults", operation_id = "addSandboxFault", tag = "sandbox", request_body = Value,
    responses((status = 202, description = "Added", body = Value)))]
pub(super) async fn add_fault(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    body: Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let mut fault = body.value;
    if let Some(session) = fault.remove("session_id") {
        // The network knows phones, not our sessions.
        let id = session.as_str().and_then(|text| text.parse::<SessionId>().ok());
        let id = id.ok_or_else(|| Problem::field("/session_id", "expected the id of a session"))?;
        let view =
            queries::session(&api.commands.ports, &*api.records, actor.account(), actor.session(id)?).await?;
        let view = view.ok_or_else(|| Problem::not_found("session").at("/session_id"))?;
        let phone = view.me.and_then(|me| me.phone);
        let phone =
            phone.ok_or_else(|| Problem::field("/session_id", "the session is not linked to a phone"))?;
        fault.insert("number".to_owned(), json!(phone));
    }
    call(&api, actor.account(), SandboxRequest::AddFault(Value::Object(fault))).await
}

/// List faults
#[utoipa::path(get, path = "/sandbox/faults", operation_id = "listSandboxFaults", tag = "sandbox",
    responses((status = 200, description = "The faults in force", body = Value)))]
pub(super) async fn list_faults(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
) -> Result<Response, Problem> {
    call(&api, actor.account(), SandboxRequest::Faults).await
}

/// Remove all faults
#[utoipa::path(delete, path = "/sandbox/faults", operation_id = "clearSandboxFaults", tag = "sandbox",
    responses((status = 204, description = "Removed")))]
pub(super) async fn clear_faults(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
) -> Result<Response, Problem> {
    call(&api, actor.account(), SandboxRequest::ClearFaults).await
}

/// Read the ledger
///
/// For each WhatsApp id, how often the network accepted it, to how many it was delivered, how many read it, and copies.
#[utoipa::path(get, path = "/sandbox/ledger", operation_id = "getSandboxLedger", tag = "sandbox", params(PageQuery),
    responses((status = 200, description = "A page", body = Value)))]
pub(super) async fn ledger(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    ValidQuery(page): ValidQuery<PageQuery>,
) -> Result<Response, Problem> {
    let (limit, cursor) = page.passed_on()?;
    call(&api, actor.account(), SandboxRequest::Ledger { limit, cursor }).await
}
