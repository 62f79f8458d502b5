//! The network between the engine and the emulators, with faults.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, StatusCode, header},
};
use futures::stream;
use serde_json::{Value, json};

use crate::emulators::{Dynamo, emulators};

/// What happens to a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It reaches the emulator, and the answer breaks off.
    AnswerLost,
    /// It is refused with this code and does not reach the emulator.
    Refused(&'static str),
    /// Of the keys of a `BatchGetItem` only as many are processed.
    LeavesKeysOver { processed: usize },
}

#[derive(Default)]
struct Seen {
    faults: Vec<(&'static str, Fault)>,
    calls: Vec<String>,
}

/// A way to the emulators that can be disturbed.
pub(crate) struct Network {
    pub(crate) url: String,
    seen: Arc<Mutex<Seen>>,
}

struct Proxy {
    http: reqwest::Client,
    dynamo: String,
    others: String,
    seen: Arc<Mutex<Seen>>,
}

impl Network {
    /// Listens until the test's runtime ends.
    pub(crate) async fn start(dynamo: Dynamo) -> Self {
        // Starting blocks, and other tests of this process wait for the same emulators.
        let emulators = tokio::task::spawn_blocking(emulators).await.unwrap();
        waxwing_runtime::install_tls();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let dynamo = match dynamo {
            Dynamo::Ministack => emulators.ministack.clone(),
            Dynamo::Local => emulators.dynamodb_local.clone(),
        };
        let proxy = Proxy { http, dynamo, others: emulators.ministack.clone(), seen: Arc::clone(&seen) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(Arc::new(proxy));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen }
    }

    /// The next `times` calls of `operation` meet this fault, behind those that were asked for before.
    pub(crate) fn disturb(&self, operation: &'static str, fault: Fault, times: usize) {
        self.seen.lock().unwrap().faults.extend(std::iter::repeat_n((operation, fault), times));
    }

    /// Names of the operations since the last time, in order, with those that failed.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap().calls)
    }

    /// Forgets the faults that nothing met.
    pub(crate) fn heal(&self) {
        self.seen.lock().unwrap().faults.clear();
    }
}

async fn pass(State(proxy): State<Arc<Proxy>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let (service, operation) = target.split_once('.').unwrap_or_default();
    let fault = {
        let mut seen = proxy.seen.lock().unwrap();
        seen.calls.push(operation.to_owned());
        let place = seen.faults.iter().position(|(disturbed, _)| *disturbed == operation);
        place.map(|place| seen.faults.remove(place).1)
    };
    let url = if service.starts_with("DynamoDB") { &proxy.dynamo } else { &proxy.others };
    let forward = |body| forward(&proxy, url, headers.clone(), body);
    match fault {
        None => forward(body).await,
        Some(Fault::Refused(code)) => refused(code),
        Some(Fault::AnswerLost) => {
            forward(body).await;
            let broken = stream::once(async { Err::<Bytes, _>(io::Error::other("the answer is lost")) });
            Response::builder().header(header::CONTENT_LENGTH, 2).body(Body::from_stream(broken)).unwrap()
        },
        Some(Fault::LeavesKeysOver { processed }) => {
            let mut request: Value = serde_json::from_slice(&body).unwrap();
            let left = leave_over(&mut request, processed);
            let answer = match processed {
                // No request may ask for nothing.
                0 => json!({ "Responses": {} }),
                _ => {
                    let answer = forward(request.to_string().into()).await;
                    let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
                    serde_json::from_slice(&bytes).unwrap()
                },
            };
            let answer = merge(answer, left);
            Response::new(Body::from(answer.to_string()))
        },
    }
}

async fn forward(proxy: &Proxy, url: &str, mut headers: HeaderMap, body: Bytes) -> Response<Body> {
    for of_this_hop in [header::HOST, header::CONTENT_LENGTH, header::CONNECTION] {
        headers.remove(of_this_hop);
    }
    let answer = proxy.http.post(url).headers(headers).body(body).send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    if let Some(kind) = answer.headers().get(header::CONTENT_TYPE) {
        response = response.header(header::CONTENT_TYPE, kind);
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

fn refused(code: &str) -> Response<Body> {
    let body =
        json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "from the test" });
    Response::builder()
        .status(StatusCode::BAD_REQUEST)
        .header(header::CONTENT_TYPE, "application/x-amz-json-1.0")
        .body(Body::from(body.to_string()))
        .unwrap()
}

/// Cuts the request down to its first keys; the rest as `UnprocessedKeys` has it.
fn leave_over(request: &mut Value, processed: usize) -> Value {
    let mut left = request["RequestItems"].clone();
    for (table, asked) in request["RequestItems"].as_object_mut().unwrap() {
        let keys = asked["Keys"].as_array_mut().unwrap();
        left[table]["Keys"] = keys.split_off(processed.min(keys.len())).into();
    }
    left
}

fn merge(mut answer: Value, left: Value) -> Value {
    let is_empty = left.as_object().unwrap().values().all(|left| left["Keys"].as_array().unwrap().is_empty());
    if !is_empty {
        answer["UnprocessedKeys"] = left;
    }
    answer
}
