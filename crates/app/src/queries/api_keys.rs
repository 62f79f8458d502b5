use waxwing_domain::{AccountId, ApiKeyId, api_key::ApiKey};

use crate::{
    commands::API_KEYS_MAX,
    execute::CommandPorts,
    keys,
    ports::{Bounds, PortError, Query, Records},
    rows,
    views::ApiKeyView,
};

/// The key, unless it is not there or was revoked. Read from its stream: it is small.
pub async fn api_key(
    ports: &CommandPorts,
    account: AccountId,
    id: ApiKeyId,
) -> Result<Option<ApiKeyView>, PortError> {
    let (key, _) = ports.load::<ApiKey>(account, &id.to_string()).await?;
    Ok(key.active().map(|created| ApiKeyView::new(id, created, key.rotated_at())))
}

/// All keys of the account that were not revoked, oldest first.
pub async fn api_keys(records: &dyn Records, account: AccountId) -> Result<Vec<ApiKeyView>, PortError> {
    let query = Query {
        index: 0,
        partition: keys::api_keys(account),
        bounds: Bounds::default(),
        descending: false,
        limit: API_KEYS_MAX,
    };
    records.query(query).await?.iter().map(rows::value).collect()
}
