//! The session hosts as the functions reach them: hints over signed HTTP.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use http::Method;
use serde_json::json;
use tokio::{sync::Mutex, time::Instant};
use waxwing_app::{
    fleet::Fleet,
    keys,
    ports::{Consistency, Gateway, GatewayError, Pairing, PairingCode, PairingCodeError, PortError, Records},
    rows,
    views::{HostView, Placement},
};
use waxwing_domain::{AccountId, PhoneNumber, SessionId};
use waxwing_signed_http::Client;

/// How long an address of a host is believed.
const ADDRESS_KEPT: Duration = Duration::from_secs(10);
/// Longer than this nobody waits for a hint: a host looks by itself.
const HINT_TIMEOUT: Duration = Duration::from_secs(2);

/// Makes a client for an address.
pub type ClientFor = Arc<dyn Fn(&str) -> Client + Send + Sync>;

/// Hints to session hosts.
pub struct HttpGateway {
    records: Arc<dyn Records>,
    client_for: ClientFor,
    /// Addresses by host, and since when they are known.
    addresses: Mutex<HashMap<String, (String, Instant)>>,
}

impl HttpGateway {
    /// Finds hosts in `records`.
    pub fn new(records: Arc<dyn Records>, client_for: ClientFor) -> Self {
        Self { records, client_for, addresses: Mutex::default() }
    }

    async fn hint(&self, account: AccountId, session: SessionId, what: &str) {
        let hinted = tokio::time::timeout(HINT_TIMEOUT, self.try_hint(account, session, what)).await;
        match hinted {
            Ok(Ok(())) => {},
            Ok(Err(error)) => tracing::debug!(%session, what, %error, "a hint was lost"),
            Err(_) => tracing::debug!(%session, what, "a hint took too long"),
        }
    }

    async fn try_hint(&self, account: AccountId, session: SessionId, what: &str) -> Result<(), PortError> {
        let Some(address) = self.address(account, session).await? else { return Ok(()) };
        let path = format!("/internal/sessions/{account}/{session}/{what}");
        let answer = (self.client_for)(&address).call(Method::POST, &path, None, &[]).await;
        match answer {
            Ok(answer) if answer.status < 300 => Ok(()),
            Ok(answer) => Err(PortError::Unavailable(format!("the host answered {}", answer.status))),
            Err(error) => {
                // It may be gone: ask again where it is.
                self.addresses.lock().await.retain(|_, (known, _)| *known != address);
                Err(PortError::Unavailable(error.to_string()))
            },
        }
    }

    /// Where the session's host is; its home's address for a session that nobody holds.
    async fn address(&self, account: AccountId, session: SessionId) -> Result<Option<String>, PortError> {
        // Strongly: a host that has just let go tells the next.
        let row = self.records.get(&keys::placement(account, session), Consistency::Strong).await?;
        let placement: Option<Placement> = row.as_ref().map(rows::value).transpose()?;
        if let Some(Placement { host: Some(host), .. }) = placement
            && let Some(address) = self.address_of(&host).await?
        {
            return Ok(Some(address));
        }
        let fleet = Fleet::read(&*self.records).await?;
        Ok(fleet.home(session).map(|(_, host)| host.address.clone()))
    }

    async fn address_of(&self, host: &str) -> Result<Option<String>, PortError> {
        let now = Instant::now();
        let mut addresses = self.addresses.lock().await;
        addresses.retain(|_, (_, since)| now.duration_since(*since) < ADDRESS_KEPT);
        if let Some((address, _)) = addresses.get(host) {
            return Ok(Some(address.clone()));
        }
        let view: Option<HostView> = rows::get(&*self.records, &keys::host(host)).await?;
        let Some(HostView { address, .. }) = view else { return Ok(None) };
        addresses.insert(host.to_owned(), (address.clone(), now));
        Ok(Some(address))
    }
}

#[async_trait]
impl Gateway for HttpGateway {
    async fn session_changed(&self, account: AccountId, session: SessionId) {
        self.hint(account, session, "changed").await;
    }

    async fn outbox_changed(&self, account: AccountId, session: SessionId) {
        self.hint(account, session, "outbox").await;
    }
}

/// A code takes a request of the client's to WhatsApp. API Gateway gives up after 29 s.
const PAIRING_TIMEOUT: Duration = Duration::from_secs(25);

#[async_trait]
impl Pairing for HttpGateway {
    async fn pairing_code(
        &self,
        account: AccountId,
        session: SessionId,
        phone: &PhoneNumber,
    ) -> Result<PairingCode, PairingCodeError> {
        let unavailable = |reason: String| PairingCodeError::Gateway(GatewayError::Unavailable(reason));
        let address = self.address(account, session).await.map_err(|error| unavailable(error.to_string()))?;
        let address = address.ok_or_else(|| unavailable("no host lives".to_owned()))?;
        let path = format!("/internal/sessions/{account}/{session}/pairing-code");
        let (client, body) = ((self.client_for)(&address), json!({ "phone_number": phone }));
        let call = client.call(Method::POST, &path, Some(&body), &[]);
        let answer = tokio::time::timeout(PAIRING_TIMEOUT, call).await;
        let answer = answer.map_err(|_| unavailable("the host did not answer in time".to_owned()))?;
        let answer = answer.map_err(|error| unavailable(error.to_string()))?;
        let text =
            |name: &str| answer.body.get(name).and_then(|value| value.as_str()).unwrap_or("").to_owned();
        match answer.status {
            200 => serde_json::from_value(answer.body).map_err(|error| unavailable(error.to_string())),
            409 if text("code") == "not_pairing" => Err(PairingCodeError::NotPairing),
            409 => Err(PairingCodeError::Refused(text("detail"))),
            status => Err(unavailable(format!("the host answered {status}"))),
        }
    }
}
