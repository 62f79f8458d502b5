//! Writes outbox rows before the feed is acknowledged, then pokes the session's host.

use std::{collections::BTreeSet, sync::Arc};

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
        let mut poked = BTreeSet::new();
        let mut writes = Vec::new();
        for item in queued {
            let Some((id, message)) = self.queued(item).await? else { continue };
            poked.insert((item.commit.account, message.session_id));
            writes.push(self.rows(item.commit.account, id, message, &item.order)?);
        }
        // The engine takes them in this order, so that a host that reads in between sees a prefix.
        for written in join_all(writes.into_iter().map(|rows| self.records.write_all(rows))).await {
            match written {
                // The marker is there: this message has been in the outbox.
                Ok(()) | Err(PortError::Conflict(_)) => {},
                Err(error) => return Err(error),
            }
        }
        for (account, session) in poked {
            self.gateway.outbox_changed(account, session).await;
        }
        Ok(())
    }
}

impl Delivery {
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
    ) -> Result<Vec<Write>, PortError> {
        let session: SessionId = message.session_id;
        let mut marker = rows::row(keys::outbox_marker(account, session, &message.whatsapp_id), 1, &id)?;
        marker.expires_at = self.ports.clock.now().checked_add(MARKER_KEPT).ok();
        let index = keys::whatsapp_id(account, session, &message.to.jid, None, &message.whatsapp_id);
        let MessageQueued { whatsapp_id, to, content, message_secret, expires_at, .. } = message;
        let open = OutboxRow { message_id: id, whatsapp_id, to, content, message_secret, expires_at };
        Ok(vec![
            Write::Put(marker, Guard::Absent),
            Write::Put(rows::row(keys::outbox_row(account, session, order), 1, &open)?, Guard::Always),
            Write::Put(rows::row(index, 1, &id)?, Guard::Always),
        ])
    }
}
