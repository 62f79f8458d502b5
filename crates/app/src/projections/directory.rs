use std::sync::Arc;

use async_trait::async_trait;
use waxwing_domain::{AccountId, Aggregate, UserId, account::Account, user::User};

use super::by_stream;
use crate::{
    execute::CommandPorts,
    feed::Consumer,
    keys,
    ports::{FeedItem, Guard, PortError, Records, Write},
    rows,
    views::{AccountView, UserView},
};

/// Accounts and users of the whole installation, for the operator.
pub struct DirectoryProjection {
    /// Journal and encryption.
    pub ports: CommandPorts,
    /// Where the rows go.
    pub records: Arc<dyn Records>,
}

#[async_trait]
impl Consumer for DirectoryProjection {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Account::TYPE, User::TYPE]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        let mut writes = Vec::new();
        for ((account, stream), _) in by_stream(items) {
            writes.push(match stream.kind() {
                User::TYPE => {
                    let id = UserId::parse(stream.id());
                    self.user(id.map_err(|error| PortError::Corrupt(error.to_string()))?).await?
                },
                _ => self.account(account).await?,
            });
        }
        match writes.is_empty() {
            true => Ok(()),
            false => self.records.write_each(writes).await.map(drop),
        }
    }
}

impl DirectoryProjection {
    async fn user(&self, id: UserId) -> Result<Write, PortError> {
        let (user, version) = self.ports.load::<User>(AccountId::SYSTEM, &id.to_string()).await?;
        let key = keys::user(id);
        let Some(registered) = user.registered() else { return Ok(Write::Delete(key, Guard::Always)) };
        let view = UserView {
            id,
            email: registered.email.clone(),
            name: registered.name.clone(),
            email_verified: user.is_verified(),
            totp_enabled: user.totp_secret().is_some(),
            created_at: registered.at,
        };
        Ok(Write::Put(rows::row(key, version, &view)?, Guard::Newer))
    }

    async fn account(&self, id: AccountId) -> Result<Write, PortError> {
        let (account, version) = self.ports.load::<Account>(id, &id.to_string()).await?;
        let key = keys::account(id);
        let Some(created) = account.created() else { return Ok(Write::Delete(key, Guard::Always)) };
        let (name, suspended) = (created.name.clone(), account.is_suspended());
        let view = AccountView { id, name, owner: created.owner, suspended, created_at: created.at };
        Ok(Write::Put(rows::row(key, version, &view)?, Guard::Newer))
    }
}
