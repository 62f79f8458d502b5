//! Writes outbox rows before the feed is acknowledged, then pokes the session's host.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use waxwing_domain::{
    AccountId, Content, MessageId, Person, Secret, SessionId,
    message::{Message, MessageEvent, MessageQueued, MessageStatus},
};

use crate::{
    codec,
    execute::CommandPorts,
    feed::Consumer,
    keys,
    ports::{FeedItem, Gateway, Guard, Order, PortError, Records, Write},
    rows,
};

/// How long a message is known to have been in the outbox.
const MARKER_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A commit older than this may be a replay: its message is looked at before it is sent.
const REPLAY_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Rows of one message: see [`Delivery::rows`].
const ROWS: usize = 3;
/// Messages of one session that are written at once: as many as fit into one [`Records::write_all`].
const WRITTEN_AT_ONCE: usize = 100 / ROWS;
/// Bytes of their rows: a transaction of DynamoDB holds 4 MB.
const BYTES_AT_ONCE: usize = 3 << 20;

/// An open outbox row: a message that has not been acknowledged by WhatsApp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxRow {
    /// The message.
    pub message_id: MessageId,
    /// The id under which every try is sent.
    pub whatsapp_id: String,
    /// The chat.
    pub to: Person,
    /// What it carries.
    pub content: Content,
    /// 32 bytes in base64 that every try carries.
    pub message_secret: Secret,
    /// Given up at this time.
    pub expires_at: Timestamp,
}

/// Commits of queued messages → outbox rows.
pub struct Delivery {
    /// Journal and encryption.
    pub ports: CommandPorts,
    /// Where the outbox is.
    pub records: Arc<dyn Records>,
    /// Who is poked.
    pub gateway: Arc<dyn Gateway>,
}

#[async_trait]
impl Consumer for Delivery {
    fn name(&self) -> &'static str {
        "delivery"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["message"]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        let queued =
            items.iter().filter(|item| item.commit.types.iter().any(|kind| kind == "message.queued"));
        let mut sessions: BTreeMap<_, Vec<[Write; ROWS]>> = BTreeMap::new();
        for item in queued {
            let Some((id, message)) = self.queued(item).await? else { continue };
            let (account, session) = (item.commit.account, message.session_id);
            let rows = self.rows(account, id, message, &item.order)?;
            sessions.entry((account, session)).or_default().push(rows);
        }
        let written = sessions.into_iter().map(|((account, session), messages)| async move {
            self.write_in_order(&messages).await?;
            self.gateway.outbox_changed(account, session).await;
            Ok(())
        });
        // Each session to its end: one that cannot be written holds up its own messages only.
        join_all(written).await.into_iter().collect()
    }
}

/// How many of the first messages can be written at once; one always can.
fn fitting(messages: &[[Write; ROWS]]) -> usize {
    let bytes = |rows: &[Write; ROWS]| -> usize {
        rows.iter().map(|write| if let Write::Put(row, _) = write { row.value.len() } else { 0 }).sum()
    };
    let sums = messages.iter().scan(0, |sum, rows| {
        *sum += bytes(rows);
        Some(*sum)
    });
    sums.take(WRITTEN_AT_ONCE).take_while(|sum| *sum <= BYTES_AT_ONCE).count().max(1)
}

impl Delivery {
    /// Writes the messages of one session in their order, and stops at the first that cannot be written: a host sends
    /// what it finds, so nothing later may stand in the outbox while an earlier message does not.
    async fn write_in_order(&self, messages: &[[Write; ROWS]]) -> Result<(), PortError> {
        let mut left = messages;
        while !left.is_empty() {
            let (together, rest) = left.split_at(fitting(left));
            left = rest;
            match self.records.write_all(together.concat()).await {
                Ok(()) => {},
                // Some have been in the outbox.
                Err(PortError::Conflict(_)) => self.write_one_by_one(together).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn write_one_by_one(&self, messages: &[[Write; ROWS]]) -> Result<(), PortError> {
        for rows in messages {
            match self.records.write_all(rows.to_vec()).await {
                // The marker is there: this message has been in the outbox.
                Ok(()) | Err(PortError::Conflict(_)) => {},
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What is queued by the commit, unless it is a replay of something that is no longer queued.
    async fn queued(&self, item: &FeedItem) -> Result<Option<(MessageId, MessageQueued)>, PortError> {
        let commit = &item.commit;
        let id =
            MessageId::parse(commit.stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let age = self.ports.clock.now().duration_since(commit.at);
        if age > REPLAY_AFTER {
            let (message, _) = self.ports.load::<Message>(commit.account, commit.stream.id()).await?;
            if message.status() != MessageStatus::Queued {
                return Ok(None);
            }
        }
        let events = codec::open::<MessageEvent>(&*self.ports.secrets, commit).await?;
        Ok(events.into_iter().find_map(|event| match event {
            MessageEvent::Queued(queued) => Some((id, queued)),
            _ => None,
        }))
    }

    /// The marker, the open row, and the index by which receipts find the message.
    fn rows(
        &self,
        account: AccountId,
        id: MessageId,
        message: MessageQueued,
        order: &Order,
    ) -> Result<[Write; ROWS], PortError> {
        let session: SessionId = message.session_id;
        let mut marker = rows::row(keys::outbox_marker(account, session, &message.whatsapp_id), 1, &id)?;
        marker.expires_at = self.ports.clock.now().checked_add(MARKER_KEPT).ok();
        let index = keys::whatsapp_id(account, session, &message.to.jid, None, &message.whatsapp_id);
        let MessageQueued { whatsapp_id, to, content, message_secret, expires_at, .. } = message;
        let open = OutboxRow { message_id: id, whatsapp_id, to, content, message_secret, expires_at };
        Ok([
            Write::Put(marker, Guard::Absent),
            Write::Put(rows::row(keys::outbox_row(account, session, order), 1, &open)?, Guard::Always),
            Write::Put(rows::row(index, 1, &id)?, Guard::Always),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{Key, Row};

    fn message(bytes: usize) -> [Write; ROWS] {
        [bytes, 0, 0].map(|bytes| {
            let (key, value) = (Key::new("p", "s"), vec![0; bytes]);
            Write::Put(Row { key, value, version: 1, indexes: vec![], expires_at: None }, Guard::Always)
        })
    }

    #[test]
    fn as_many_messages_are_written_at_once_as_a_transaction_holds() {
        assert_eq!(fitting(&vec![message(100); 50]), WRITTEN_AT_ONCE);
        assert_eq!(fitting(&vec![message(400_000); 20]), 7);
        assert_eq!(fitting(&[message(BYTES_AT_ONCE + 1), message(1)]), 1);
        assert_eq!(fitting(&[message(1)]), 1);
    }
}
