use std::sync::Arc;

use async_trait::async_trait;
use waxwing_domain::{AccountId, Aggregate, UserId, account::Account, user::User};

use super::by_stream;
use crate::{
    execute::CommandPorts,
    feed::Consumer,
    keys,
    ports::{FeedItem, Guard, PortError, Records, StreamName, Write},
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
            writes.push(write(&self.ports, account, &stream).await?);
        }
        match writes.is_empty() {
            true => Ok(()),
            false => self.records.write_each(writes).await.map(drop),
        }
    }
}

/// What the whole stream of an account or a user leads to.
pub(super) async fn write(
    ports: &CommandPorts,
    account: AccountId,
    stream: &StreamName,
) -> Result<Write, PortError> {
    match stream.kind() {
        User::TYPE => {
            let id = UserId::parse(stream.id());
            user(ports, id.map_err(|error| PortError::Corrupt(error.to_string()))?).await
        },
        _ => of_account(ports, account).await,
    }
}

async fn user(ports: &CommandPorts, id: UserId) -> Result<Write, PortError> {
    let (user, version) = ports.load::<User>(AccountId::SYSTEM, &id.to_string()).await?;
    let key = keys::user(id);
    Ok(match UserView::of(id, &user) {
        Some(view) => Write::Put(rows::row(key, version, &view)?, Guard::Newer),
        None => Write::Delete(key, Guard::Always),
    })
}

async fn of_account(ports: &CommandPorts, id: AccountId) -> Result<Write, PortError> {
    let (account, version) = ports.load::<Account>(id, &id.to_string()).await?;
    let key = keys::account(id);
    Ok(match AccountView::of(id, &account) {
        Some(view) => Write::Put(rows::row(key, version, &view)?, Guard::Newer),
        None => Write::Delete(key, Guard::Always),
    })
}
