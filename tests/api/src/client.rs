//! A plain client of the API.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::{Value, json};

use crate::{Credentials, eventually};

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its JSON; null where there is none.
    pub body: Value,
    /// Its headers.
    pub headers: http::HeaderMap,
}

/// Calls one waxwing with one key.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: String,
    account_id: String,
    api_key: String,
}

/// For requests to this machine.
pub fn http_client() -> Result<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?)
}

impl Client {
    /// With the first key.
    pub fn new(credentials: &Credentials) -> Result<Self> {
        let http = http_client()?;
        let Credentials { base_url, account_id, api_key } = credentials.clone();
        Ok(Self { http, base_url, account_id, api_key })
    }

    /// The same with another key.
    pub fn with_key(&self, api_key: &str) -> Self {
        Self { api_key: api_key.to_owned(), ..self.clone() }
    }

    /// Of which account the first key is.
    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    /// Where the API is.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// True when `/ready` answers 200.
    pub async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/ready", self.base_url)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// One request with whatever headers and body.
    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.base_url));
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            request = request.bearer_auth(&self.api_key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), headers })
    }

    /// GET below `/api/v1`.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.raw(Method::GET, &format!("/api/v1{path}"), &[], None).await
    }

    /// POST below `/api/v1`.
    pub async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.post_with(path, &[], body).await
    }

    /// [`Self::post`] with headers.
    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: Value) -> Result<Answer> {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.raw(Method::POST, &format!("/api/v1{path}"), &all, Some(body.to_string().into_bytes())).await
    }

    /// PUT below `/api/v1`.
    pub async fn put(&self, path: &str, body: Value) -> Result<Answer> {
        let headers = [("content-type", "application/json")];
        self.raw(Method::PUT, &format!("/api/v1{path}"), &headers, Some(body.to_string().into_bytes())).await
    }

    /// PATCH below `/api/v1`.
    pub async fn patch(&self, path: &str, body: Value) -> Result<Answer> {
        let headers = [("content-type", "application/json")];
        self.raw(Method::PATCH, &format!("/api/v1{path}"), &headers, Some(body.to_string().into_bytes()))
            .await
    }

    /// DELETE below `/api/v1`.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.raw(Method::DELETE, &format!("/api/v1{path}"), &[], None).await
    }

    /// A session of this name, linked to a new phone of this number, connected. Its id.
    pub async fn connected_session(&self, name: &str, number: &str) -> Result<String> {
        let made = self.post("/sessions", json!({ "name": name })).await?;
        ensure!(made.status == 201, "{made:?}");
        let id = made.body["id"].as_str().context("an id")?.to_owned();
        self.make_phone(number).await?;
        self.link(&id, number).await?;
        Ok(id)
    }

    /// Lets the phone scan the session's code, and waits for the connection.
    pub async fn link(&self, session: &str, number: &str) -> Result<()> {
        let path = format!("/sessions/{session}/qr");
        let code = eventually("a code to scan", || async {
            let answer = self.get(&path).await?;
            Ok((answer.status == 200).then(|| answer.body["code"].clone()))
        })
        .await?;
        let scanned = self.post(&format!("/sandbox/phones/{number}/scan"), json!({ "qr": code })).await?;
        ensure!(scanned.status == 202, "{scanned:?}");
        self.wait_status(session, "connected").await
    }

    /// Waits until the session has this status.
    pub async fn wait_status(&self, session: &str, status: &str) -> Result<()> {
        let path = format!("/sessions/{session}");
        eventually(&format!("status {status}"), || async {
            let answer = self.get(&path).await?;
            Ok((answer.body["status"] == status).then_some(()))
        })
        .await
    }

    /// A phone in the sandbox.
    pub async fn make_phone(&self, number: &str) -> Result<()> {
        let made = self.post("/sandbox/phones", json!({ "number": number })).await?;
        ensure!(matches!(made.status, 200 | 201), "{made:?}");
        Ok(())
    }

    /// Everything of a list, page by page.
    pub async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        let joint = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = match &cursor {
                None => self.get(&format!("{path}{joint}limit=200")).await?,
                Some(cursor) => self.get(&format!("{path}{joint}limit=200&cursor={cursor}")).await?,
            };
            ensure!(page.status == 200, "{path}: {page:?}");
            all.extend(page.body["data"].as_array().cloned().unwrap_or_default());
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(all),
            }
        }
    }
}
