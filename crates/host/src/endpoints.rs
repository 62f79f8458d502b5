//! Where clients connect: to WhatsApp itself, or to the networks of a sandbox.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use http::Method;
use serde_json::Value;
use waxwing_domain::AccountId;
use waxwing_signed_http::Client;
use waxwing_whatsapp::{Endpoint, EndpointError, Endpoints};

/// Most accounts whose tokens are kept in memory.
const TOKENS_MAX: usize = 10_000;

/// WhatsApp itself.
pub struct WhatsappEndpoints;

#[async_trait]
impl Endpoints for WhatsappEndpoints {
    async fn endpoint(&self, _account: AccountId) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::whatsapp())
    }
}

/// The networks of a sandbox: each account's has an unguessable path.
pub struct SandboxEndpoints {
    client: Client,
    web_socket_base: String,
    paths: Mutex<HashMap<AccountId, String>>,
}

impl SandboxEndpoints {
    /// The sandbox at `base_url`, which `client` calls.
    pub fn new(base_url: &str, client: Client) -> Self {
        let web_socket_base = base_url.trim_end_matches('/').replacen("http", "ws", 1);
        Self { client, web_socket_base, paths: Mutex::default() }
    }

    async fn web_socket_path(&self, account: AccountId) -> Result<String, EndpointError> {
        if let Some(path) = self.paths.lock().unwrap_or_else(PoisonError::into_inner).get(&account) {
            return Ok(path.clone());
        }
        let path = format!("/internal/networks/{account}");
        let answer = self.client.call(Method::GET, &path, None, &[]).await;
        let answer = answer.map_err(|error| EndpointError(error.to_string()))?;
        let path = answer.body.get("ws_path").and_then(Value::as_str).map(str::to_owned);
        let path = path.ok_or_else(|| EndpointError(format!("the sandbox answered {}", answer.status)))?;
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        if paths.len() >= TOKENS_MAX {
            paths.clear();
        }
        paths.insert(account, path.clone());
        Ok(path)
    }
}

#[async_trait]
impl Endpoints for SandboxEndpoints {
    async fn endpoint(&self, account: AccountId) -> Result<Endpoint, EndpointError> {
        let path = self.web_socket_path(account).await?;
        Ok(Endpoint { web_socket: format!("{}{path}", self.web_socket_base) })
    }
}
