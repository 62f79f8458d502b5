use std::sync::Arc;

use async_trait::async_trait;
use waxwing_domain::{AccountId, ApiKeyId, api_key::ApiKey};

use super::by_stream;
use crate::{
    execute::CommandPorts,
    feed::Consumer,
    keys,
    ports::{FeedItem, Guard, PortError, Records, Write},
    rows,
    views::ApiKeyView,
};

/// API keys by account.
pub struct ApiKeyProjection {
    /// Journal and encryption.
    pub ports: CommandPorts,
    /// Where the rows go.
    pub records: Arc<dyn Records>,
}

#[async_trait]
impl Consumer for ApiKeyProjection {
    fn name(&self) -> &'static str {
        "api_keys"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["api_key"]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        for ((account, stream), _) in by_stream(items) {
            let id = ApiKeyId::parse(stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))?;
            let (key, version) = self.ports.load::<ApiKey>(account, stream.id()).await?;
            self.records.write_each(vec![write(account, id, &key, version)?]).await?;
        }
        Ok(())
    }
}

/// What a key's whole stream leads to: its row, or that there is none.
pub(crate) fn write(
    account: AccountId,
    id: ApiKeyId,
    key: &ApiKey,
    version: u64,
) -> Result<Write, PortError> {
    let row = keys::api_key(account, id);
    Ok(match key.active() {
        Some(created) => {
            let view = ApiKeyView::new(id, created, key.rotated_at());
            Write::Put(rows::row(row, version, &view)?, Guard::Newer)
        },
        None => Write::Delete(row, Guard::Always),
    })
}
