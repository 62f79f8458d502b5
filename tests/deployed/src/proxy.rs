//! The way from the functions and the session host to the emulator: everything is counted, and calls can be refused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, StatusCode, Uri, header},
};
use serde_json::{Value, json};
use waxwing_tests_api::http_client;

use crate::meter::{Call, Meter};

/// Calls that are refused, before they reach the emulator.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Of which service: `dynamodb`, `sqs`, `kms`, `secretsmanager`; of all when absent.
    pub service: Option<&'static str>,
    /// Which operation, such as `PutItem`; all when absent.
    pub operation: Option<&'static str>,
    /// Only calls whose body has this text, such as the name of a table.
    pub with: Option<String>,
    /// Of these calls, one of so many is refused; 1 is all.
    pub one_of: usize,
    /// With which code.
    pub code: &'static str,
}

impl Fault {
    /// Refuses all calls of a service.
    pub fn of(service: &'static str, code: &'static str) -> Self {
        Self { service: Some(service), operation: None, with: None, one_of: 1, code }
    }

    fn hits(&self, service: &str, operation: &str, body: &[u8]) -> bool {
        self.service.is_none_or(|only| only == service)
            && self.operation.is_none_or(|only| only == operation)
            && self.with.as_ref().is_none_or(|text| contains(body, text.as_bytes()))
    }
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len().max(1)).any(|window| window == text)
}

/// A fault that lasts until this is dropped.
pub struct Disturbance<'a> {
    proxy: &'a Proxy,
}

impl Disturbance<'_> {
    /// How many calls were refused so far.
    pub fn refused(&self) -> usize {
        self.proxy.inner().fault.as_ref().map_or(0, |fault| fault.refused)
    }
}

impl Drop for Disturbance<'_> {
    fn drop(&mut self) {
        self.proxy.inner().fault = None;
    }
}

struct Active {
    fault: Fault,
    seen: usize,
    refused: usize,
}

#[derive(Default)]
struct Inner {
    fault: Option<Active>,
    meter: Meter,
}

/// See the module.
pub struct Proxy {
    url: String,
    target: String,
    http: reqwest::Client,
    inner: Mutex<Inner>,
}

impl Proxy {
    /// Listens on a free port of this machine until the program ends, on a thread of its own: tests have a runtime each.
    pub fn start(target: String) -> Result<Arc<Self>> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let http = http_client()?;
        let proxy = Arc::new(Self { url, target, http, inner: Mutex::default() });
        let router = Router::new().fallback(pass).with_state(proxy.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, router).await
            })
        });
        Ok(proxy)
    }

    /// Where the emulator itself is.
    pub fn emulator(&self) -> &str {
        &self.target
    }

    /// What takes the place of the emulator's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Refuses calls until the answer is dropped. One fault at a time.
    pub fn disturb(&self, fault: Fault) -> Disturbance<'_> {
        self.inner().fault = Some(Active { fault, seen: 0, refused: 0 });
        Disturbance { proxy: self }
    }

    /// What was counted since the last time.
    pub fn counted(&self) -> Vec<Call> {
        self.inner().meter.take()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The code with which this call is refused, if it is.
    fn refusal(&self, service: &str, operation: &str, body: &[u8]) -> Option<&'static str> {
        let mut inner = self.inner();
        let active = inner.fault.as_mut().filter(|active| active.fault.hits(service, operation, body))?;
        active.seen += 1;
        if active.seen % active.fault.one_of != 0 {
            return None;
        }
        active.refused += 1;
        Some(active.fault.code)
    }
}

/// Service and operation, as `X-Amz-Target` names them: `DynamoDB_20120810.PutItem`.
fn target(headers: &HeaderMap) -> (&'static str, String) {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let (service, operation) = target.split_once('.').unwrap_or_default();
    let service = match service {
        "DynamoDB_20120810" => "dynamodb",
        "AmazonSQS" => "sqs",
        "TrentService" => "kms",
        "secretsmanager" => "secretsmanager",
        "AmazonSSM" => "ssm",
        _ => "other",
    };
    (service, operation.to_owned())
}

async fn pass(
    State(proxy): State<Arc<Proxy>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let (service, operation) = target(&headers);
    if let Some(code) = proxy.refusal(service, &operation, &body) {
        return refused(code);
    }
    match forward(&proxy, method, &uri, headers, body.clone()).await {
        Ok((status, headers, answer)) => {
            let request = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let answered = serde_json::from_slice(&answer).unwrap_or(Value::Null);
            proxy.inner().meter.observe(service, &operation, &request, status.is_success(), &answered);
            let mut response = Response::new(Body::from(answer));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        },
        Err(error) => {
            let mut response = Response::new(Body::from(error.to_string()));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        },
    }
}

async fn forward(
    proxy: &Proxy,
    method: Method,
    uri: &Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, HeaderMap, Bytes)> {
    for of_this_hop in [header::HOST, header::CONTENT_LENGTH, header::CONNECTION] {
        headers.remove(of_this_hop);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{path}", proxy.target);
    let answer = proxy.http.request(method, url).headers(headers).body(body).send().await?;
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for of_this_hop in [header::CONTENT_LENGTH, header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(of_this_hop);
    }
    Ok((status, headers, answer.bytes().await?))
}

fn refused(code: &str) -> Response<Body> {
    let body = json!({ "__type": format!("com.amazonaws#{code}"), "message": "refused by the test" });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}
