//! Make a webhook endpoint.

use base64::{Engine, engine::general_purpose::STANDARD};
use waxwing_domain::{
    AccountId, Secret, SessionId, WebhookEndpointId,
    webhook_endpoint::{
        CreateWebhookEndpoint, WebhookEndpoint, WebhookEndpointCommand, WebhookEndpointError,
    },
};

use super::{
    Commands,
    idempotency::{IdempotencyError, Once, Repeatable},
};
use crate::{
    execute::{Cause, Execution, unexpected_claim},
    keys,
    ports::{EntropyExt, Guard, PortError, Write},
    rows,
    views::WebhookView,
};

/// Most endpoints of one account; its limit may say less.
pub const WEBHOOKS_MAX: usize = 100;

/// What a caller wants.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Where to deliver.
    pub url: String,
    /// Which event types, or `*` alone.
    pub events: Vec<String>,
    /// Only events of these sessions.
    pub session_ids: Option<Vec<SessionId>>,
    /// For people.
    pub description: Option<String>,
}

/// An endpoint and its secret, which is shown this once.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatedWebhook {
    /// The endpoint.
    pub view: WebhookView,
    /// `whsec_` and 32 bytes in base64.
    pub secret: Secret,
}

/// Why an endpoint was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateWebhookError {
    /// One of the named sessions does not exist.
    #[error("there is no session {0}")]
    NoSuchSession(SessionId),
    /// The account has as many as it may have.
    #[error("the account already has {0} webhooks, and may have no more")]
    TooMany(usize),
    /// The request is not valid.
    #[error(transparent)]
    Webhook(#[from] WebhookEndpointError),
    /// See [`IdempotencyError`].
    #[error(transparent)]
    Idempotency(#[from] IdempotencyError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Commands {
    /// Makes an endpoint with a new signing secret. Events committed after this returns are delivered to it.
    pub async fn create_webhook(
        &self,
        account: AccountId,
        new: NewWebhook,
        repeatable: Option<Repeatable<'_, CreatedWebhook>>,
        cause: &Cause,
    ) -> Result<Once<CreatedWebhook>, CreateWebhookError> {
        if let Some(answer) = self.repeated(account, repeatable.as_ref()).await? {
            return Ok(Once::Repeated(answer));
        }
        for session in new.session_ids.iter().flatten() {
            if self.session(account, *session).await?.is_none() {
                return Err(CreateWebhookError::NoSuchSession(*session));
            }
        }
        let webhooks = crate::queries::webhooks(&*self.records, account).await?.len();
        if webhooks >= self.limits.webhooks {
            return Err(CreateWebhookError::TooMany(webhooks));
        }
        let (unix_ms, random) = self.ids.parts();
        let (id, at) = (WebhookEndpointId::new(unix_ms, random), self.ports.clock.now());
        let key: [u8; 32] = self.entropy.bytes();
        let secret = Secret(format!("whsec_{}", STANDARD.encode(key)));
        let NewWebhook { url, events, session_ids, description } = new;
        let create =
            CreateWebhookEndpoint { url, events, session_ids, description, secret: secret.clone(), at };
        let created = create.clone().decide_created()?;
        let created = CreatedWebhook { view: WebhookView::new(id, &created), secret };
        let claims = self.claims_for(account, repeatable.as_ref(), &created, at).await?;
        let text = id.to_string();
        let command = WebhookEndpointCommand::Create(create);
        let execution =
            Execution::<WebhookEndpoint> { account, id: &text, command, fresh: true, claims, cause };
        let executed = self.ports.execute(execution).await;
        let taken = || CreateWebhookError::from(unexpected_claim());
        let once = self.once(account, repeatable.as_ref(), executed, created, taken).await?;
        if let Once::Done(created) = &once {
            // Who made it finds it in the list at once.
            let row = rows::row(keys::webhook(account, id), 1, &created.view)?;
            self.records.write_each(vec![Write::Put(row, Guard::Newer)]).await?;
        }
        Ok(once)
    }
}
