use std::sync::Arc;

use async_trait::async_trait;
use waxwing_domain::{AccountId, SessionId, session::SessionEvent};

use super::by_stream;
use crate::{
    codec,
    execute::CommandPorts,
    feed::Consumer,
    keys,
    ports::{Commit, Consistency, FeedItem, Gateway, Guard, PortError, Records, StreamName, Write},
    rows,
    views::SessionView,
};

/// Sessions by account, the list of those that hosts look after, and the hint to the host.
pub struct SessionProjection {
    /// Journal and encryption.
    pub ports: CommandPorts,
    /// Where the rows go.
    pub records: Arc<dyn Records>,
    /// Who is told that a wish changed.
    pub gateway: Arc<dyn Gateway>,
}

#[async_trait]
impl Consumer for SessionProjection {
    fn name(&self) -> &'static str {
        "sessions"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["session"]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        for ((account, stream), commits) in by_stream(items) {
            let id = SessionId::parse(stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))?;
            self.project(account, id, &stream, &commits).await?;
            self.gateway.session_changed(account, id).await;
        }
        Ok(())
    }
}

impl SessionProjection {
    async fn project(
        &self,
        account: AccountId,
        id: SessionId,
        stream: &StreamName,
        commits: &[&Commit],
    ) -> Result<(), PortError> {
        let row = self.records.get(&keys::session(account, id), Consistency::Strong).await?;
        let seen = row.as_ref().map_or(0, |row| row.version);
        let (Some(first), Some(last)) = (commits.first(), commits.last()) else { return Ok(()) };
        if seen >= last.version {
            return Ok(());
        }
        let mut view: Option<SessionView> = row.as_ref().map(rows::value).transpose()?;
        let whole;
        let news: Vec<&Commit> = match seen + 1 >= first.version {
            true => commits.iter().copied().filter(|commit| commit.version > seen).collect(),
            false => {
                view = None;
                whole = self.ports.journal.read(account, stream).await?;
                whole.iter().filter(|commit| commit.version <= last.version).collect()
            },
        };
        for commit in news {
            for event in codec::open::<SessionEvent>(&*self.ports.secrets, commit).await? {
                view = SessionView::after(view, id, event);
            }
        }
        let view =
            view.ok_or_else(|| PortError::Corrupt(format!("{stream} does not begin with a session")))?;
        self.records.write_each(writes(account, &view, last.version)?).await.map(drop)
    }
}

/// A deleted session keeps its row, so that a late projection cannot bring it back; lists leave it out. The host sees in
/// its own list that the state has to go.
pub(crate) fn writes(account: AccountId, view: &SessionView, version: u64) -> Result<Vec<Write>, PortError> {
    let keys = [keys::hosted_session(account, view.id), keys::session(account, view.id)];
    keys.into_iter().map(|key| Ok(Write::Put(rows::row(key, version, view)?, Guard::Newer))).collect()
}
