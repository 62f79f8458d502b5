//! A receiver of webhooks that believes nothing: every signature is checked with the published library.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

/// A webhook that was received and verified.
#[derive(Debug, Clone)]
pub struct Received {
    /// `webhook-id`.
    pub id: String,
    /// Its JSON.
    pub body: Value,
    /// Its `traceparent`.
    pub traceparent: Option<String>,
    /// When.
    pub at: Instant,
}

/// How a receiver answers for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    /// With 503.
    Fails,
    /// Not at all.
    Hangs,
}

#[derive(Default)]
struct Log {
    secret: Option<String>,
    temper: Option<(Temper, Instant)>,
    received: Vec<Received>,
    refused: Vec<String>,
}

/// A receiver on a loopback port.
#[derive(Clone)]
pub struct Receiver {
    log: Arc<Mutex<Log>>,
    address: SocketAddr,
}

impl Receiver {
    /// Starts to listen.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let this = Self { log: Arc::default(), address: listener.local_addr()? };
        let router = Router::new().route("/hook", post(receive)).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(this)
    }

    /// Where to deliver.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With which secret to check.
    pub fn expect_secret(&self, secret: &str) {
        self.log().secret = Some(secret.to_owned());
    }

    /// Answers like this for so long.
    pub fn behave(&self, temper: Temper, lasts: Duration) {
        self.log().temper = Some((temper, Instant::now() + lasts));
    }

    /// How it answers now.
    fn temper(&self) -> Option<(Temper, Instant)> {
        self.log().temper.filter(|(_, until)| Instant::now() < *until)
    }

    /// What was received and verified.
    pub fn received(&self) -> Vec<Received> {
        self.log().received.clone()
    }

    /// How many were received and verified.
    pub fn count(&self) -> usize {
        self.log().received.len()
    }

    /// Why others were refused.
    pub fn refused(&self) -> Vec<String> {
        self.log().refused.clone()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    match receiver.temper() {
        Some((Temper::Fails, _)) => return StatusCode::SERVICE_UNAVAILABLE,
        Some((Temper::Hangs, until)) => {
            tokio::time::sleep_until(until.into()).await;
            return StatusCode::SERVICE_UNAVAILABLE;
        },
        None => {},
    }
    let mut log = receiver.log();
    let Some(secret) = log.secret.clone() else { return StatusCode::SERVICE_UNAVAILABLE };
    let verified = Webhook::new(&secret).and_then(|webhook| webhook.verify(&body, &headers));
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    match (verified, serde_json::from_slice(&body)) {
        (Ok(()), Ok(body)) => {
            let traceparent = headers.get("traceparent").and_then(|value| value.to_str().ok());
            let traceparent = traceparent.map(str::to_owned);
            log.received.push(Received { id, body, traceparent, at: Instant::now() });
            StatusCode::NO_CONTENT
        },
        (verified, parsed) => {
            log.refused.push(format!("{id}: {verified:?} {:?}", parsed.err()));
            StatusCode::BAD_REQUEST
        },
    }
}
