//! The control API of `waxwing sandbox`.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use waxwing_signed_http::{Client, SigningKey};
use waxwing_tests_api::Sandbox;

/// Each is used once, whichever network is asked.
static NONCES: AtomicU64 = AtomicU64::new(0);

/// The network of an account. Each has up to 10,000 phones.
pub async fn network(process: &Sandbox, account: &'static str) -> Result<Network> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = fs::read_to_string(&process.key_file)?;
    let control = Client::new(
        &process.url,
        SigningKey::from_hex(&key)?,
        reqwest::Client::builder().no_proxy().build()?,
        Arc::new(unix_seconds),
        Arc::new(|| u128::from(NONCES.fetch_add(1, Ordering::Relaxed)).to_be_bytes()),
    );
    let address = process.url.trim_start_matches("http://").to_owned();
    let mut network = Network { control, account, address, path: String::new() };
    let info = network.call(Method::GET, "", None).await?;
    info["ws_path"].as_str().context("a path")?.clone_into(&mut network.path);
    Ok(network)
}

#[expect(
    clippy::disallowed_methods,
    reason = "requests are signed with the time, and nothing here decides by it"
)]
fn unix_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}

/// One account's network. Cheap to clone.
#[derive(Clone)]
pub struct Network {
    control: Client,
    account: &'static str,
    /// Host and port.
    pub address: String,
    /// Of the WebSocket.
    pub path: String,
}

impl Network {
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let path = format!("/internal/networks/{}{path}", self.account);
        let answer = self.control.call(method, &path, body.as_ref(), &[]).await?;
        ensure!((200..300).contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
        Ok(answer.body)
    }

    /// A phone of this number.
    pub async fn make_phone(&self, number: &str) -> Result<()> {
        self.call(Method::POST, "/phones", Some(json!({ "number": number }))).await.map(drop)
    }

    /// The phone scans a code.
    pub async fn scan(&self, number: &str, qr: &str) -> Result<()> {
        let path = format!("/phones/{number}/scan");
        self.call(Method::POST, &path, Some(json!({ "qr": qr }))).await.map(drop)
    }

    /// The phone writes.
    pub async fn write(&self, from: &str, to: &str, text: &str) -> Result<()> {
        let path = format!("/phones/{from}/messages");
        let body = json!({ "to": to, "type": "text", "text": text });
        self.call(Method::POST, &path, Some(body)).await.map(drop)
    }
}
