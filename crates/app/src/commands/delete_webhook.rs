//! Delete a webhook endpoint.

use waxwing_domain::{
    AccountId, WebhookEndpointId,
    webhook_endpoint::{WebhookEndpoint, WebhookEndpointCommand, WebhookEndpointError},
};

use super::Commands;
use crate::{
    execute::{Cause, ExecuteError, Execution},
    keys,
    ports::{Guard, PortError, Write},
};

/// Why an endpoint was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteWebhookError {
    /// See [`WebhookEndpointError`].
    #[error(transparent)]
    Webhook(#[from] WebhookEndpointError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Commands {
    /// Deletes an endpoint. Deliveries that wait for it are dropped.
    pub async fn delete_webhook(
        &self,
        account: AccountId,
        id: WebhookEndpointId,
        cause: &Cause,
    ) -> Result<(), DeleteWebhookError> {
        let (text, at) = (id.to_string(), self.ports.clock.now());
        let command = WebhookEndpointCommand::Delete { at };
        let execution = Execution::<WebhookEndpoint> {
            account,
            id: &text,
            command,
            fresh: false,
            claims: Vec::new(),
            cause,
        };
        match self.ports.execute(execution).await {
            Ok(_) => {
                let gone = Write::Delete(keys::webhook(account, id), Guard::Always);
                Ok(self.records.write_each(vec![gone]).await.map(drop)?)
            },
            Err(ExecuteError::Refused(refusal)) => Err(refusal.into()),
            Err(ExecuteError::Port(error)) => Err(error.into()),
            Err(ExecuteError::ClaimTaken(..)) => {
                Err(PortError::Conflict("a claim was refused".to_owned()).into())
            },
        }
    }
}
