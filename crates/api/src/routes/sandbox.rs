//! The simulated network, for tests of what is built on Waxwing: phones that scan, receive, read and answer.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use waxwing_app::{
    ports::{SandboxAnswer, SandboxRequest},
    queries,
};
use waxwing_domain::{AccountId, PhoneNumber};

use super::{answer, replayed};
use crate::{
    Api, Problem,
    extract::{Actor, Body, IdempotencyKey, PageQuery, PhonePath, SandboxRead, SandboxWrite, ValidQuery},
    shapes::{
        BehaviourIn, BehaviourOut, CreatePhoneIn, Empty, EnterCodeIn, FaultIn, FaultOut, InboxEntryOut,
        LedgerEntryOut, Page, PhoneOut, SandboxMessageIn, SandboxMessageOut, ScanIn,
    },
};

pub(super) fn get(path: impl Into<String>) -> SandboxRequest {
    SandboxRequest { method: "GET", path: path.into(), body: None, idempotency_key: None }
}

pub(super) fn with(method: &'static str, path: impl Into<String>, body: &impl Serialize) -> SandboxRequest {
    SandboxRequest { body: Some(json!(body)), method, ..get(path) }
}

pub(super) fn keyed(
    IdempotencyKey(idempotency_key): IdempotencyKey,
    request: SandboxRequest,
) -> SandboxRequest {
    SandboxRequest { idempotency_key, ..request }
}

pub(super) fn of_phone(phone: &PhoneNumber, what: &str) -> String {
    format!("phones/{}/{what}", phone.digits())
}

pub(super) fn page(path: &str, query: PageQuery) -> Result<SandboxRequest, Problem> {
    let (limit, cursor) = query.passed_on()?;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string());
    if let Some(cursor) = cursor {
        query.append_pair("cursor", &cursor);
    }
    Ok(get(format!("{path}?{}", query.finish())))
}

/// Calls the network and answers as it does, in the documented shape `T`; what it refuses becomes a problem.
pub(super) async fn call<T: Serialize + DeserializeOwned>(
    api: &Api,
    account: AccountId,
    request: SandboxRequest,
) -> Result<Response, Problem> {
    let sandbox = api.sandbox.as_ref().ok_or_else(|| Problem::not_found("sandbox; this is a live build"))?;
    let SandboxAnswer { status, body, replayed: repeats } = sandbox.call(account, request).await?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    match (StatusCode::from_u16(status), text("code")) {
        (Ok(StatusCode::NO_CONTENT), _) => Ok(StatusCode::NO_CONTENT.into_response()),
        (Ok(status), _) if status.is_success() => {
            let shaped = serde_json::from_value::<T>(body).map_err(|error| {
                tracing::error!(%error, "the sandbox answered in another shape");
                Problem::new("internal", "Something went wrong here.")
            })?;
            let response = answer(status, shaped);
            Ok(if repeats { replayed(response) } else { response })
        },
        (Ok(status), Some(code)) if status.is_client_error() && status != StatusCode::UNAUTHORIZED => {
            let detail = text("detail").unwrap_or_default();
            // Of the control's query, not of a body.
            let pointer = text("pointer").map(|pointer| match pointer.as_str() {
                "/cursor" | "/limit" => format!("/query{pointer}"),
                "/group" => format!("/path{pointer}"),
                _ => pointer,
            });
            // Here the word is for what a credential may not do.
            let code = if code == "forbidden" { "phone_not_allowed".to_owned() } else { code };
            Err(match (code.as_str(), pointer) {
                ("validation_failed", pointer) => Problem::field(pointer.unwrap_or_default(), detail),
                (code, Some(pointer)) => Problem::new(code, detail).at(&pointer),
                (code, None) => Problem::new(code, detail),
            })
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
    params(IdempotencyKey), request_body = CreatePhoneIn, responses(
        (status = 201, description = "Made", body = PhoneOut),
        (status = 200, description = "It was there before", body = PhoneOut)))]
pub(super) async fn create_phone(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    key: IdempotencyKey,
    Body { value, .. }: Body<CreatePhoneIn>,
) -> Result<Response, Problem> {
    call::<PhoneOut>(&api, actor.account(), keyed(key, with("POST", "phones", &value))).await
}

/// List phones
#[utoipa::path(get, path = "/sandbox/phones", operation_id = "listSandboxPhones", tag = "sandbox", params(PageQuery),
    responses((status = 200, description = "A page, oldest first", body = Page<PhoneOut>)))]
pub(super) async fn list_phones(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    ValidQuery(query): ValidQuery<PageQuery>,
) -> Result<Response, Problem> {
    call::<Page<PhoneOut>>(&api, actor.account(), page("phones", query)?).await
}

/// Let a phone scan a session's code
#[utoipa::path(post, path = "/sandbox/phones/{number}/scan", operation_id = "scanSandboxQr", tag = "sandbox",
    params(PhonePath), request_body = ScanIn,
    responses((status = 202, description = "Scanned; the session connects", body = Empty)))]
pub(super) async fn scan(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    PhonePath(phone): PhonePath,
    Body { value, .. }: Body<ScanIn>,
) -> Result<Response, Problem> {
    call::<Empty>(&api, actor.account(), with("POST", of_phone(&phone, "scan"), &value)).await
}

/// Let a phone enter a pairing code
#[utoipa::path(post, path = "/sandbox/phones/{number}/enter-code", operation_id = "enterSandboxCode", tag = "sandbox",
    params(PhonePath), request_body = EnterCodeIn,
    responses((status = 202, description = "Entered; the session connects", body = Empty)))]
pub(super) async fn enter_code(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    PhonePath(phone): PhonePath,
    Body { value, .. }: Body<EnterCodeIn>,
) -> Result<Response, Problem> {
    call::<Empty>(&api, actor.account(), with("POST", of_phone(&phone, "enter-code"), &value)).await
}

/// Let a phone send a message
///
/// Of any kind, to another phone or into a group. Each kind has its own fields, named as in `POST /messages`.
#[utoipa::path(post, path = "/sandbox/phones/{number}/messages", operation_id = "sendFromSandboxPhone", tag = "sandbox",
    params(PhonePath, IdempotencyKey), request_body = SandboxMessageIn,
    responses((status = 202, description = "Sent", body = SandboxMessageOut)))]
pub(super) async fn send_from_phone(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    PhonePath(phone): PhonePath,
    key: IdempotencyKey,
    Body { value, .. }: Body<SandboxMessageIn>,
) -> Result<Response, Problem> {
    let request = with("POST", of_phone(&phone, "messages"), &value);
    call::<SandboxMessageOut>(&api, actor.account(), keyed(key, request)).await
}

/// Look into a phone's inbox
///
/// What it decrypted, oldest first, field by field; `copies` is how often the network handed it the same id.
#[utoipa::path(get, path = "/sandbox/phones/{number}/inbox", operation_id = "getSandboxInbox", tag = "sandbox",
    params(PhonePath, PageQuery),
    responses((status = 200, description = "A page, oldest first", body = Page<InboxEntryOut>)))]
pub(super) async fn inbox(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    PhonePath(phone): PhonePath,
    ValidQuery(query): ValidQuery<PageQuery>,
) -> Result<Response, Problem> {
    call::<Page<InboxEntryOut>>(&api, actor.account(), page(&of_phone(&phone, "inbox"), query)?).await
}

/// Get a phone's behaviour
#[utoipa::path(get, path = "/sandbox/phones/{number}/behaviour", operation_id = "getSandboxBehaviour", tag = "sandbox",
    params(PhonePath), responses((status = 200, description = "Its behaviour", body = BehaviourOut)))]
pub(super) async fn get_behaviour(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    PhonePath(phone): PhonePath,
) -> Result<Response, Problem> {
    call::<BehaviourOut>(&api, actor.account(), get(of_phone(&phone, "behaviour"))).await
}

/// Change a phone's behaviour
///
/// Only the fields that are named.
#[utoipa::path(put, path = "/sandbox/phones/{number}/behaviour", operation_id = "setSandboxBehaviour", tag = "sandbox",
    params(PhonePath), request_body = BehaviourIn,
    responses((status = 200, description = "Its behaviour now", body = BehaviourOut)))]
pub(super) async fn set_behaviour(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    PhonePath(phone): PhonePath,
    Body { value, .. }: Body<BehaviourIn>,
) -> Result<Response, Problem> {
    call::<BehaviourOut>(&api, actor.account(), with("PUT", of_phone(&phone, "behaviour"), &value)).await
}

/// Add a fault
#[utoipa::path(post, path = "/sandbox/faults", operation_id = "addSandboxFault", tag = "sandbox",
    params(IdempotencyKey), request_body = FaultIn, responses((status = 202, description = "Added", body = Empty)))]
pub(super) async fn add_fault(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
    key: IdempotencyKey,
    body: Body<FaultIn>,
) -> Result<Response, Problem> {
    let FaultIn { kind, session_id, mut number, count, for_s, delay_ms, limit } = body.value;
    if let Some(id) = session_id {
        if number.is_some() {
            return Err(Problem::field("/number", "a fault is for a session or for a phone"));
        }
        // The network knows phones, not our sessions.
        let id = actor.session(id).map_err(|problem| problem.at("/session_id"))?;
        let view = queries::session(&api.commands.ports, &*api.records, actor.account(), id).await?;
        let view = view.ok_or_else(|| Problem::not_found("session").at("/session_id"))?;
        let phone = view.me.and_then(|me| me.phone);
        let phone =
            phone.ok_or_else(|| Problem::field("/session_id", "the session is not linked to a phone"))?;
        number = Some(phone.to_string());
    }
    let fault = json!({
        "kind": kind, "number": number, "count": count, "for_s": for_s, "delay_ms": delay_ms, "limit": limit,
    });
    call::<Empty>(&api, actor.account(), keyed(key, with("POST", "faults", &fault))).await
}

/// List faults
#[utoipa::path(get, path = "/sandbox/faults", operation_id = "listSandboxFaults", tag = "sandbox",
    responses((status = 200, description = "The faults in force", body = Page<FaultOut>)))]
pub(super) async fn list_faults(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
) -> Result<Response, Problem> {
    call::<Page<FaultOut>>(&api, actor.account(), get("faults")).await
}

/// Remove all faults
#[utoipa::path(delete, path = "/sandbox/faults", operation_id = "clearSandboxFaults", tag = "sandbox",
    responses((status = 204, description = "Removed")))]
pub(super) async fn clear_faults(
    State(api): State<Api>,
    actor: Actor<SandboxWrite>,
) -> Result<Response, Problem> {
    call::<Empty>(&api, actor.account(), SandboxRequest { method: "DELETE", ..get("faults") }).await
}

/// Read the ledger
///
/// For each WhatsApp id, how often the network accepted it, to how many it was delivered, how many read it, and copies.
#[utoipa::path(get, path = "/sandbox/ledger", operation_id = "getSandboxLedger", tag = "sandbox", params(PageQuery),
    responses((status = 200, description = "A page, oldest first", body = Page<LedgerEntryOut>)))]
pub(super) async fn ledger(
    State(api): State<Api>,
    actor: Actor<SandboxRead>,
    ValidQuery(query): ValidQuery<PageQuery>,
) -> Result<Response, Problem> {
    call::<Page<LedgerEntryOut>>(&api, actor.account(), page("ledger", query)?).await
}
