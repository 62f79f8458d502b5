use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use http::Method;
use waxwing_app::ports::{
    Clock, Entropy, EntropyExt, GatewayError, SandboxAnswer, SandboxControl, SandboxRequest,
};
use waxwing_domain::AccountId;
use waxwing_signed_http::{Client, SigningKey};

/// Seconds since 1970, as signatures want them.
pub fn unix_seconds(clock: Arc<dyn Clock>) -> Arc<dyn Fn() -> i64 + Send + Sync> {
    Arc::new(move || clock.now().as_second())
}

/// Makes a client for an address that signs with a key.
pub type ClientMaker = Arc<dyn Fn(&str, SigningKey) -> Client + Send + Sync>;

/// Makes clients of our own processes: for an address, signing with a key. They share their connections.
pub fn signed_client_maker(
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<ClientMaker, reqwest::Error> {
    let http = reqwest::Client::builder().no_proxy().connect_timeout(Duration::from_secs(5)).build()?;
    Ok(Arc::new(move |base_url, key| {
        let entropy = entropy.clone();
        Client::new(
            base_url,
            key,
            http.clone(),
            unix_seconds(clock.clone()),
            Arc::new(move || entropy.bytes()),
        )
    }))
}

/// The control of a sandbox, always over signed HTTP, wherever it runs.
pub struct RemoteSandbox(pub Client);

#[async_trait]
impl SandboxControl for RemoteSandbox {
    async fn call(&self, account: AccountId, request: SandboxRequest) -> Result<SandboxAnswer, GatewayError> {
        let SandboxRequest { method, path, body, idempotency_key } = request;
        let unavailable = |error: String| GatewayError::Unavailable(error);
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| unavailable(error.to_string()))?;
        let path = format!("/internal/networks/{account}/{path}");
        let header = idempotency_key.as_deref().map(|key| ("idempotency-key", key));
        let answer = self.0.call(method, &path, body.as_ref(), header.as_slice()).await;
        let answer = answer.map_err(|error| unavailable(error.to_string()))?;
        Ok(SandboxAnswer { status: answer.status, body: answer.body, replayed: answer.replayed })
    }
}
