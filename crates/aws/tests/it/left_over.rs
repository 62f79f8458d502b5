//! A network in which batches of messages reach SQS in part.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, header},
};
use serde_json::{Value, json};

/// How SQS answers for every third message of a batch, which it does not take.
#[derive(Clone, Copy)]
pub(crate) struct LeftOver {
    pub(crate) code: &'static str,
    pub(crate) is_senders: bool,
    /// So many batches, and then no more.
    pub(crate) times: usize,
}

/// How many batches there were.
#[derive(Clone, Default)]
pub(crate) struct Batches(Arc<AtomicUsize>);

impl Batches {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

struct Proxy {
    http: reqwest::Client,
    to: String,
    left_over: LeftOver,
    batches: Batches,
}

/// Listens until the test's runtime ends.
pub(crate) async fn leave_over(to: String, left_over: LeftOver) -> (String, Batches) {
    let (http, batches) = (reqwest::Client::builder().no_proxy().build().unwrap(), Batches::default());
    let proxy = Proxy { http, to, left_over, batches: batches.clone() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(pass).with_state(Arc::new(proxy));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, batches)
}

async fn pass(State(proxy): State<Arc<Proxy>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let is_batch = headers.get("x-amz-target").is_some_and(|target| target == "AmazonSQS.SendMessageBatch");
    if !is_batch || proxy.batches.0.fetch_add(1, Ordering::SeqCst) >= proxy.left_over.times {
        return forward(&proxy, headers, body).await;
    }
    let mut request: Value = serde_json::from_slice(&body).unwrap();
    let entries = request["Entries"].as_array_mut().unwrap();
    let (mut taken, mut failed) = (Vec::new(), Vec::new());
    for (place, entry) in entries.drain(..).enumerate() {
        match place % 3 {
            0 => failed.push(json!({
                "Id": entry["Id"], "Code": proxy.left_over.code, "Message": "from the test",
                "SenderFault": proxy.left_over.is_senders,
            })),
            _ => taken.push(entry),
        }
    }
    let mut answer = json!({ "Successful": [] });
    if !taken.is_empty() {
        request["Entries"] = taken.into();
        let forwarded = forward(&proxy, headers, request.to_string().into()).await;
        let bytes = axum::body::to_bytes(forwarded.into_body(), usize::MAX).await.unwrap();
        answer = serde_json::from_slice(&bytes).unwrap();
    }
    answer["Failed"] = failed.into();
    let response = Response::builder().header(header::CONTENT_TYPE, "application/x-amz-json-1.0");
    response.body(Body::from(answer.to_string())).unwrap()
}

async fn forward(proxy: &Proxy, mut headers: HeaderMap, body: Bytes) -> Response<Body> {
    for of_this_hop in [header::HOST, header::CONTENT_LENGTH, header::CONNECTION] {
        headers.remove(of_this_hop);
    }
    let answer = proxy.http.post(&proxy.to).headers(headers).body(body).send().await.unwrap();
    let response = Response::builder().status(answer.status());
    let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
    let response =
        kind.into_iter().fold(response, |response, kind| response.header(header::CONTENT_TYPE, kind));
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}
