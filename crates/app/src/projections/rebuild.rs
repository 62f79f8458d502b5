//! Makes the rows of a stream what the journal says, whatever stands there: rows that are gone, damaged, or made by a
//! projection that was wrong. Nothing else follows from it: nobody is told and nothing is sent.

use std::{collections::HashSet, sync::Arc};

use waxwing_domain::{
    AccountId, Aggregate, ApiKeyId, MessageId, SessionId, WebhookEndpointId, account::Account,
    api_key::ApiKey, feature::Features, ids::IdError, message::Message, session::Session, user::User,
    webhook_endpoint::WebhookEndpoint,
};

use super::{api_key_write, audit, directory, messages, session_writes};
use crate::{
    execute::CommandPorts,
    ports::{Consistency, Guard, Key, PortError, Records, Row, StreamName, Write},
    processes::endpoint_write,
    queries, rows,
    views::Wanted,
};

/// How often a stream is looked at anew because somebody else wrote at the same time.
const TRIES: usize = 10;

/// What became of a stream's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuilt {
    /// No rows follow from such a stream.
    NoRows,
    /// They were right.
    Right,
    /// At least one was not, and now they are.
    Replaced,
    /// The account's data keys were destroyed: nobody can read what the rows should say.
    Erased,
}

/// Rebuilds rows while the system runs.
///
/// Rows are never missing on the way: a wrong one is replaced where it stands. A stream is done when all its rows were
/// right *after* the stream was read, and a row that was written is looked at again. So a projection that read a damaged
/// row before cannot bring it back: its commit was there before the row was replaced, the next look at the stream finds
/// it, and what is then written has at least its version. Nor does the rebuild itself bring back entries of a user who was
/// deleted after its look: the next one says that they go.
pub struct Rebuild {
    /// Journal and encryption.
    pub ports: CommandPorts,
    /// Where the rows are.
    pub records: Arc<dyn Records>,
}

/// A row as it was found.
enum Found {
    Right,
    Replaced,
    /// Somebody else wrote meanwhile.
    Moved,
}

impl Rebuild {
    /// Consumers whose read models are rebuilt.
    pub const CONSUMERS: [&str; 7] =
        ["api_keys", "audit", "directory", "messages", "search", "sessions", "webhooks"];

    /// Which consumers of the feed otherwise keep the rows of streams of this aggregate type.
    pub fn consumers_of(kind: &str) -> &'static [&'static str] {
        match kind {
            <Account as Aggregate>::TYPE | <User as Aggregate>::TYPE => &["audit", "directory"],
            <ApiKey as Aggregate>::TYPE => &["api_keys", "audit"],
            <Features as Aggregate>::TYPE => &["audit"],
            <Message as Aggregate>::TYPE => &["messages", "search"],
            <Session as Aggregate>::TYPE => &["audit", "sessions"],
            <WebhookEndpoint as Aggregate>::TYPE => &["audit", "webhooks"],
            _ => &[],
        }
    }

    /// Rebuilds the rows of one stream. [`PortError::Corrupt`] when it cannot be read; its rows are then left alone.
    pub async fn stream(&self, account: AccountId, stream: &StreamName) -> Result<Rebuilt, PortError> {
        let (mut ahead, mut replaced) = (HashSet::new(), false);
        for _ in 0..TRIES {
            let wanted = match self.wanted(account, stream).await {
                Err(PortError::Erased(_)) => return Ok(Rebuilt::Erased),
                wanted => wanted?,
            };
            let Some(wanted) = wanted else { return Ok(Rebuilt::NoRows) };
            let mut is_settled = true;
            for write in wanted {
                let counted = messages::count_without(account, &write, self.ports.clock.now());
                match self.settle(account, write, &mut ahead).await? {
                    Found::Right => {},
                    Found::Replaced => {
                        (is_settled, replaced) = (false, true);
                        if let Some(counted) = counted {
                            self.write(Write::Delete(counted, Guard::Always)).await?;
                        }
                    },
                    Found::Moved => {
                        is_settled = false;
                        break;
                    },
                }
            }
            match (is_settled, replaced) {
                (true, true) => return Ok(Rebuilt::Replaced),
                (true, false) => return Ok(Rebuilt::Right),
                (false, _) => {},
            }
        }
        Err(PortError::Throttled(format!(
            "the rows of {stream} changed {TRIES} times while they were rebuilt"
        )))
    }

    /// What the whole stream leads to; `None` when no rows follow from it.
    async fn wanted(&self, account: AccountId, stream: &StreamName) -> Result<Option<Vec<Write>>, PortError> {
        let consumers = Self::consumers_of(stream.kind());
        let mut wanted = Vec::new();
        for consumer in consumers {
            wanted.extend(self.wanted_by(consumer, account, stream).await?);
        }
        Ok((!consumers.is_empty()).then_some(wanted))
    }

    async fn wanted_by(
        &self,
        consumer: &str,
        account: AccountId,
        stream: &StreamName,
    ) -> Result<Vec<Write>, PortError> {
        let unreadable = |error: IdError| PortError::Corrupt(format!("{stream}: {error}"));
        let commits = async || self.ports.journal.read(account, stream).await;
        match consumer {
            "audit" => audit::writes_of_whole(&self.ports, &*self.records, stream, &commits().await?).await,
            "directory" => Ok(vec![directory::write(&self.ports, account, stream).await?]),
            // Not rows but an index: `SearchProjection::rebuild`.
            "search" => Ok(Vec::new()),
            "messages" => messages::writes_of_whole(&self.ports, account, stream, &commits().await?).await,
            "sessions" => {
                let id = SessionId::parse(stream.id()).map_err(unreadable)?;
                self.wanted_of_session(account, id).await
            },
            "api_keys" => {
                let id = ApiKeyId::parse(stream.id()).map_err(unreadable)?;
                let (key, version) = self.ports.load::<ApiKey>(account, stream.id()).await?;
                Ok(vec![api_key_write(account, id, &key, version)?])
            },
            _ => {
                let id = WebhookEndpointId::parse(stream.id()).map_err(unreadable)?;
                let (endpoint, version) = self.ports.load::<WebhookEndpoint>(account, stream.id()).await?;
                Ok(vec![endpoint_write(account, id, &endpoint, version)?])
            },
        }
    }

    async fn wanted_of_session(&self, account: AccountId, id: SessionId) -> Result<Vec<Write>, PortError> {
        let Some((view, version)) = queries::session_from_stream(&self.ports, account, id).await? else {
            return Err(PortError::Corrupt(format!("{id} does not begin with a session")));
        };
        let mut writes = session_writes(account, &view, version)?;
        // The host takes a deleted session off its list when it has cleaned up: where the session's own row is right, it
        // may have done so. Where that row was lost, so was perhaps the list, and cleaning up twice is fine.
        if view.wanted == Wanted::Deleted
            && let Some(Write::Put(own, _)) = writes.last()
            && matches!(self.records.get(&own.key, Consistency::Strong).await, Ok(Some(there)) if there == *own)
        {
            writes.remove(0);
        }
        Ok(writes)
    }

    /// Makes one row what it should be. A row whose version is beyond its stream is taken for damaged at the second look:
    /// the first one may have come too early for a new commit.
    async fn settle(
        &self,
        account: AccountId,
        write: Write,
        ahead: &mut HashSet<(Key, u64)>,
    ) -> Result<Found, PortError> {
        let key = match &write {
            Write::Put(row, _) => &row.key,
            Write::Delete(key, _) | Write::Check(key, _) => key,
        };
        let there = match self.records.get(key, Consistency::Strong).await {
            Err(PortError::Corrupt(_)) => {
                // What cannot be read as a row serves nobody, and no guard holds on it.
                self.write(Write::Delete(key.clone(), Guard::Always)).await?;
                None
            },
            there => there?,
        };
        let write = match (write, there) {
            (Write::Put(row, _), Some(there)) if row == there => return Ok(Found::Right),
            (Write::Put(row, _), Some(there))
                if there.version > row.version && ahead.insert((row.key.clone(), there.version)) =>
            {
                return Ok(Found::Moved);
            },
            (Write::Put(_, Guard::Absent), Some(there)) if self.is_anothers(account, &there).await? => {
                return Ok(Found::Right);
            },
            (Write::Put(row, _), Some(there)) => Write::Put(row, Guard::Exactly(there.version)),
            (Write::Put(row, _), None) => Write::Put(row, Guard::Absent),
            (Write::Delete(key, _), Some(there)) => Write::Delete(key, Guard::Exactly(there.version)),
            (Write::Delete(..) | Write::Check(..), _) => return Ok(Found::Right),
        };
        Ok(match self.write(write).await? {
            true => Found::Replaced,
            false => Found::Moved,
        })
    }

    /// True when the row is the place of another message with the same id of WhatsApp, which came first.
    async fn is_anothers(&self, account: AccountId, there: &Row) -> Result<bool, PortError> {
        let Ok(id) = rows::value::<MessageId>(there) else { return Ok(false) };
        let stream = StreamName::new(<Message as Aggregate>::TYPE, id);
        let commits = self.ports.journal.read(account, &stream).await?;
        match messages::writes_of_whole(&self.ports, account, &stream, &commits).await {
            Ok(writes) => Ok(writes.iter().any(|write| matches!(write, Write::Put(row, _) if row == there))),
            Err(error) if error.is_transient() => Err(error),
            Err(_) => Ok(false),
        }
    }

    async fn write(&self, write: Write) -> Result<bool, PortError> {
        Ok(self.records.write_each(vec![write]).await? == [true])
    }
}
