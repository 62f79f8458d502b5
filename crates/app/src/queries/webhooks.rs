use waxwing_domain::{AccountId, WebhookEndpointId, webhook_endpoint::WebhookEndpoint};

use crate::{
    commands::WEBHOOKS_MAX,
    execute::CommandPorts,
    keys,
    ports::{Bounds, PortError, Query, Records},
    rows,
    views::WebhookView,
};

/// The endpoint, unless it is not there or was deleted. Read from its stream: it is small.
pub async fn webhook(
    ports: &CommandPorts,
    account: AccountId,
    id: WebhookEndpointId,
) -> Result<Option<WebhookView>, PortError> {
    let (endpoint, _) = ports.load::<WebhookEndpoint>(account, &id.to_string()).await?;
    Ok(endpoint.active().map(|created| WebhookView::new(id, created)))
}

/// All endpoints of the account, oldest first.
pub async fn webhooks(records: &dyn Records, account: AccountId) -> Result<Vec<WebhookView>, PortError> {
    let query = Query {
        index: 0,
        partition: keys::webhooks(account),
        bounds: Bounds::default(),
        descending: false,
        limit: WEBHOOKS_MAX,
    };
    records.query(query).await?.iter().map(rows::value).collect()
}
