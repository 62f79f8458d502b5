//! The control API: signed JSON over HTTP, for the platform's own processes only.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use waxwing_signed_http::{BODY_LIMIT_BYTES, Verifier, require_signature};

use crate::calls;
use crate::engine::Engine;
use crate::error::Refusal;
use crate::faults::FaultRequest;
use crate::groups;
use crate::kinds::NewMessage;
use crate::network::{BehaviourChange, Network, Page, PageRequest};
use crate::people;
use crate::phone_handle::PhoneHandle;

pub(crate) fn routes(engine: Engine, verifier: Verifier) -> Router {
    Router::new()
        .route("/internal/networks/{account}", get(info))
        .route("/internal/networks/{account}/phones", post(create_phone).get(list_phones))
        .route("/internal/networks/{account}/phones/{number}/scan", post(scan))
        .route("/internal/networks/{account}/phones/{number}/enter-code", post(enter_code))
        .route("/internal/networks/{account}/phones/{number}/messages", post(send_message))
        .route("/internal/networks/{account}/phones/{number}/inbox", get(inbox))
        .route("/internal/networks/{account}/phones/{number}/behaviour", get(behaviour).put(change_behaviour))
        .route("/internal/networks/{account}/faults", post(inject).get(faults).delete(clear_faults))
        .route("/internal/networks/{account}/faults/counts", get(fault_counts))
        .route("/internal/networks/{account}/faults/{id}", delete(clear_fault))
        .route("/internal/networks/{account}/ledger", get(ledger))
        .merge(groups::routes())
        .merge(people::routes())
        .merge(calls::routes())
        .route_layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .route_layer(from_fn_with_state(verifier, require_signature))
        .with_state(engine)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(&self))
            .into_response()
    }
}

/// What a handler gives.
pub(crate) type Answer<T> = Result<T, Refusal>;

/// A JSON body, with our own form of error.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;
    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(Refusal::new(415, "not_json", "the content type must be application/json"))
            },
            Err(JsonRejection::JsonSyntaxError(error)) => {
                Err(Refusal::new(400, "not_json", error.body_text()))
            },
            Err(error) => Err(Refusal::new(error.status().as_u16(), "validation_failed", error.body_text())),
        }
    }
}

/// A query string, with our own form of error.
pub(crate) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Query(params) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|error: QueryRejection| Refusal::new(422, "validation_failed", error.body_text()))?;
        Ok(Self(params))
    }
}

/// The header `Idempotency-Key`, where there is one.
pub(crate) struct Key(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match parts.headers.get("idempotency-key").map(|key| key.to_str()) {
            None => Ok(Self(None)),
            Some(Ok(key)) => Ok(Self(Some(key.to_owned()))),
            Some(Err(_)) => Err(Refusal::new(422, "validation_failed", "visible ASCII characters only")),
        }
    }
}

/// An answer that may be the repetition of an earlier one.
pub(crate) fn repeatable(status: StatusCode, body: impl Serialize, repeated: bool) -> Response {
    let mut response = (status, Json(body)).into_response();
    if repeated {
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    response
}

fn network(engine: Engine, account: String) -> Network {
    Network::new(engine, account)
}

/// The phone of a path.
pub(crate) fn phone(engine: Engine, account: String, number: &str) -> Answer<PhoneHandle> {
    network(engine, account).phone(number)
}

async fn info(State(engine): State<Engine>, Path(account): Path<String>) -> Answer<impl IntoResponse> {
    Ok(Json(network(engine, account).info().await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PhoneIn {
    number: String,
    name: Option<String>,
}

async fn create_phone(
    State(engine): State<Engine>,
    Path(account): Path<String>,
    Key(key): Key,
    Body(body): Body<PhoneIn>,
) -> Answer<Response> {
    let network = network(engine, account);
    let ((phone, made), repeated) =
        network.create_phone_once(&body.number, body.name.as_deref(), key.as_deref()).await?;
    Ok(repeatable(if made { StatusCode::CREATED } else { StatusCode::OK }, phone, repeated))
}

async fn list_phones(
    State(engine): State<Engine>,
    Path(account): Path<String>,
    Params(page): Params<PageRequest>,
) -> Answer<impl IntoResponse> {
    Ok(Json(network(engine, account).phones(&page).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScanIn {
    qr: String,
}

async fn scan(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
    Body(body): Body<ScanIn>,
) -> Answer<impl IntoResponse> {
    phone(engine, account, &number)?.scan(&body.qr).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeIn {
    code: String,
}

async fn enter_code(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
    Body(body): Body<CodeIn>,
) -> Answer<impl IntoResponse> {
    phone(engine, account, &number)?.enter_code(&body.code).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

async fn send_message(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
    Key(key): Key,
    Body(mut body): Body<Map<String, Value>>,
) -> Answer<Response> {
    let phone = phone(engine, account, &number)?;
    let Some(Value::String(to)) = body.remove("to") else {
        return Err(Refusal::field("/to", "a message has a recipient"));
    };
    let message: NewMessage = serde_json::from_value(Value::Object(body))
        .map_err(|error| Refusal::new(422, "validation_failed", error.to_string()))?;
    let (sent, repeated) = phone.send_once(&to, message, key.as_deref()).await?;
    Ok(repeatable(StatusCode::ACCEPTED, sent, repeated))
}

async fn inbox(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
    Params(page): Params<PageRequest>,
) -> Answer<impl IntoResponse> {
    Ok(Json(phone(engine, account, &number)?.inbox_page(&page).await?))
}

async fn behaviour(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
) -> Answer<impl IntoResponse> {
    Ok(Json(phone(engine, account, &number)?.behaviour().await?))
}

async fn change_behaviour(
    State(engine): State<Engine>,
    Path((account, number)): Path<(String, String)>,
    Body(change): Body<BehaviourChange>,
) -> Answer<impl IntoResponse> {
    Ok(Json(phone(engine, account, &number)?.change_behaviour(change).await?))
}

async fn inject(
    State(engine): State<Engine>,
    Path(account): Path<String>,
    Key(key): Key,
    Body(fault): Body<FaultRequest>,
) -> Answer<Response> {
    let repeated = network(engine, account).inject_once(fault, key.as_deref()).await?;
    Ok(repeatable(StatusCode::ACCEPTED, json!({}), repeated))
}

async fn faults(State(engine): State<Engine>, Path(account): Path<String>) -> Answer<impl IntoResponse> {
    // At most as many as a page holds.
    Ok(Json(Page { data: network(engine, account).faults().await?, next_cursor: None }))
}

async fn clear_faults(
    State(engine): State<Engine>,
    Path(account): Path<String>,
) -> Answer<impl IntoResponse> {
    network(engine, account).clear_faults().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_fault(
    State(engine): State<Engine>,
    Path((account, id)): Path<(String, i64)>,
) -> Answer<impl IntoResponse> {
    network(engine, account).clear_fault(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn fault_counts(
    State(engine): State<Engine>,
    Path(account): Path<String>,
) -> Answer<impl IntoResponse> {
    Ok(Json(json!({ "counts": network(engine, account).fault_counts().await? })))
}

async fn ledger(
    State(engine): State<Engine>,
    Path(account): Path<String>,
    Params(page): Params<PageRequest>,
) -> Answer<impl IntoResponse> {
    Ok(Json(network(engine, account).ledger_page(&page).await?))
}
