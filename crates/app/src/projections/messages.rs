use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use futures::future::try_join_all;
use jiff::Timestamp;
use waxwing_domain::{
    AccountId, MessageId,
    message::{Direction, MessageEvent, Origin},
};

use super::by_stream;
use crate::{
    codec,
    execute::CommandPorts,
    feed::Consumer,
    keys,
    ports::{
        Commit, Consistency, FeedItem, Guard, IndexEntry, Key, PortError, Records, Row, StreamName, Write,
    },
    queries, rows,
    views::MessageView,
};

/// Messages by id, by session and by chat, and the index by WhatsApp's ids.
pub struct MessageProjection {
    /// Journal and encryption.
    pub ports: CommandPorts,
    /// Where the rows go.
    pub records: Arc<dyn Records>,
}

#[async_trait]
impl Consumer for MessageProjection {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["message"]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        let streams = by_stream(items);
        let folded = streams.iter().map(|((account, stream), commits)| self.fold(*account, stream, commits));
        let folded: Vec<Folded> = try_join_all(folded).await?.into_iter().flatten().collect();
        let (mut indexes, mut rows, mut counts) = (Vec::new(), Vec::new(), BTreeSet::new());
        for Folded { index, row, late } in folded {
            indexes.extend(index);
            rows.push(row);
            counts.extend(late);
        }
        // Before the rows, since a repetition finds them and looks no further, and behind them for who counted in between.
        self.forget(&counts).await?;
        // Before the rows: a repetition takes a row that is there for proof that all is.
        if !indexes.is_empty() {
            self.records.write_each(indexes).await?;
        }
        self.records.write_each(rows).await?;
        self.forget(&counts).await
    }
}

/// What is written for a message.
struct Folded {
    /// By which it is found under WhatsApp's id: once, with its first row. `delivery` writes that of a message out before it
    /// is sent.
    index: Option<Write>,
    row: Write,
    /// The count of its day, which may have been made without it.
    late: Option<Key>,
}

impl MessageProjection {
    async fn forget(&self, counts: &BTreeSet<Key>) -> Result<(), PortError> {
        if counts.is_empty() {
            return Ok(());
        }
        let gone = counts.iter().map(|key| Write::Delete(key.clone(), Guard::Always)).collect();
        self.records.write_each(gone).await.map(drop)
    }

    async fn fold(
        &self,
        account: AccountId,
        stream: &StreamName,
        commits: &[&Commit],
    ) -> Result<Option<Folded>, PortError> {
        let id = MessageId::parse(stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let key = keys::message(account, id);
        let (Some(first), Some(last)) = (commits.first(), commits.last()) else { return Ok(None) };
        let row = match first.version {
            1 => None,
            _ => self.records.get(&key, Consistency::Strong).await?,
        };
        let seen = row.as_ref().map_or(0, |row| row.version);
        if seen >= last.version {
            return Ok(None);
        }
        let view: Option<MessageView> = row.as_ref().map(rows::value).transpose()?;
        let ports = &self.ports;
        let view = match seen + 1 >= first.version {
            true => {
                apply(ports, view, id, commits.iter().copied().filter(|commit| commit.version > seen)).await?
            },
            // Something is missing in between: the stream knows.
            false => {
                let whole = ports.journal.read(account, stream).await?;
                apply(ports, None, id, whole.iter().filter(|commit| commit.version <= last.version)).await?
            },
        };
        let view = view.ok_or_else(|| no_message(stream))?;
        let is_new = seen == 0 && view.origin != Origin::Api;
        let index = if is_new { Some(index(account, &view)?) } else { None };
        let late = queries::count_without(account, &view, self.ports.clock.now()).filter(|_| seen == 0);
        Ok(Some(Folded { index, row: row_of(account, &view, last.version)?, late }))
    }
}

/// The count of a day that may have been made without this message, if it is the row of one.
pub(super) fn count_without(account: AccountId, write: &Write, now: Timestamp) -> Option<Key> {
    let Write::Put(row, _) = write else { return None };
    let is_message = row.indexes.iter().any(|place| place.index == keys::BY_SESSION);
    let view = is_message.then(|| rows::value::<MessageView>(row).ok()).flatten()?;
    queries::count_without(account, &view, now)
}

/// What a message's whole stream leads to, whatever the rows say.
pub(super) async fn writes_of_whole(
    ports: &CommandPorts,
    account: AccountId,
    stream: &StreamName,
    commits: &[Commit],
) -> Result<Vec<Write>, PortError> {
    let id = MessageId::parse(stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))?;
    let view = apply(ports, None, id, commits.iter()).await?.ok_or_else(|| no_message(stream))?;
    let version = commits.last().map_or(0, |last| last.version);
    Ok(vec![index(account, &view)?, row_of(account, &view, version)?])
}

pub(super) fn no_message(stream: &StreamName) -> PortError {
    PortError::Corrupt(format!("{stream} does not begin with a message"))
}

pub(super) async fn apply<'a>(
    ports: &CommandPorts,
    mut view: Option<MessageView>,
    id: MessageId,
    commits: impl Iterator<Item = &'a Commit>,
) -> Result<Option<MessageView>, PortError> {
    for commit in commits {
        for event in codec::open::<MessageEvent>(&*ports.secrets, commit).await? {
            view = MessageView::after(view, id, event, commit.at);
        }
    }
    Ok(view)
}

fn row_of(account: AccountId, view: &MessageView, version: u64) -> Result<Write, PortError> {
    let (session, chat) = (view.session_id, &view.chat.jid);
    let sort = view.position();
    let indexes = vec![
        IndexEntry {
            index: keys::BY_SESSION,
            partition: keys::messages_of_session(account, session),
            sort: sort.clone(),
        },
        IndexEntry { index: keys::BY_CHAT, partition: keys::messages_of_chat(account, session, chat), sort },
    ];
    let row = Row { indexes, ..rows::row(keys::message(account, view.id), version, view)? };
    Ok(Write::Put(row, Guard::Newer))
}

fn index(account: AccountId, view: &MessageView) -> Result<Write, PortError> {
    let sender = match view.direction {
        Direction::In => view.from.as_ref().map(|from| &from.jid),
        Direction::Out => None,
    };
    let key = keys::whatsapp_id(account, view.session_id, &view.chat.jid, sender, &view.whatsapp_id);
    Ok(Write::Put(rows::row(key, 1, &view.id)?, Guard::Absent))
}
