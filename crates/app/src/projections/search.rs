use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use futures::future::try_join_all;
use waxwing_domain::{AccountId, MessageId};

use super::{by_stream, messages};
use crate::{
    execute::CommandPorts,
    feed::Consumer,
    ports::{Commit, Document, FeedItem, PortError, Search, StreamName},
    views::MessageView,
};

/// Types of events after which a message says something else than before; what it then says, [`document`] takes from the
/// view.
const TELLING: [&str; 6] = [
    "message.queued",
    "message.received",
    "message.sent_from_phone",
    "message.imported",
    "message.edited",
    "message.deleted",
];

/// What messages say, in the index of words.
pub struct SearchProjection {
    /// Journal and encryption.
    pub ports: CommandPorts,
    /// The index.
    pub search: Arc<dyn Search>,
}

#[async_trait]
impl Consumer for SearchProjection {
    fn name(&self) -> &'static str {
        "search"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["message"]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        let streams = by_stream(items);
        let documents = streams.iter().map(|((account, stream), commits)| async {
            let document = self.after(*account, stream, commits).await?;
            Ok::<_, PortError>(document.map(|document| (*account, document)))
        });
        let mut accounts: BTreeMap<AccountId, Vec<Document>> = BTreeMap::new();
        for (account, document) in try_join_all(documents).await?.into_iter().flatten() {
            accounts.entry(account).or_default().push(document);
        }
        for (account, documents) in accounts {
            self.search.index(account, documents).await?;
        }
        Ok(())
    }
}

impl SearchProjection {
    /// Indexes what the whole stream leads to, whatever the index has.
    pub async fn rebuild(&self, account: AccountId, stream: &StreamName) -> Result<(), PortError> {
        if !self.kinds().contains(&stream.kind()) {
            return Ok(());
        }
        let commits = self.ports.journal.read(account, stream).await?;
        let commits: Vec<&Commit> = commits.iter().collect();
        match self.after(account, stream, &commits).await? {
            Some(document) => self.search.index(account, vec![document]).await,
            None => Ok(()),
        }
    }

    /// What the message says after these commits; `None` when they do not change it, or it never said a thing.
    async fn after(
        &self,
        account: AccountId,
        stream: &StreamName,
        commits: &[&Commit],
    ) -> Result<Option<Document>, PortError> {
        let tells = |commit: &&&Commit| commit.types.iter().any(|kind| TELLING.contains(&kind.as_str()));
        let Some(last) = commits.iter().rfind(tells) else { return Ok(None) };
        let id = MessageId::parse(stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let view = match last.version {
            1 => messages::apply(&self.ports, None, id, std::iter::once(*last)).await?,
            version => {
                let whole = self.ports.journal.read(account, stream).await?;
                let until = whole.iter().filter(|commit| commit.version <= version);
                messages::apply(&self.ports, None, id, until).await?
            },
        };
        let view = view.ok_or_else(|| messages::no_message(stream))?;
        let document = document(&view, last.version);
        Ok((last.version > 1 || !document.text.is_empty()).then_some(document))
    }
}

fn document(view: &MessageView, version: u64) -> Document {
    let text = view.content.text().filter(|_| view.deleted_at.is_none());
    Document {
        message: view.id,
        session: view.session_id,
        chat: view.chat.jid.clone(),
        committed_at: view.committed_at,
        version,
        text: text.unwrap_or_default().to_owned(),
    }
}
