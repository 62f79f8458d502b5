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

/// A commit older than this may be a replay: its message is looked at before it is put into the outbox. A host looks at
/// each before it sends it; this keeps it from being flooded.
const REPLAY_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Messages of one session that are written at once: as many as fit into one [`Records::write_each`], with two rows each.
const WRITTEN_AT_ONCE: usize = 500;

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
        let mut sessions: BTreeMap<_, Vec<[Write; 2]>> = BTreeMap::new();
        for item in queued {
            let Some((id, message)) = self.queued(item).await? else { continue };
            let (account, session) = (item.commit.account, message.session_id);
            let rows = rows_of(account, id, message, &item.order)?;
            sessions.entry((account, session)).or_default().push(rows);
        }
        let written = sessions.into_iter().map(|((account, session), messages)| async move {
            for together in messages.chunks(WRITTEN_AT_ONCE) {
                // In their order, up to the first that cannot be written: a host sends what it finds, so nothing later may
                // stand in the outbox while an earlier message does not.
                self.records.write_each(together.concat()).await?;
            }
            self.gateway.outbox_changed(account, session).await;
            Ok(())
        });
        // Each session to its end: one that cannot be written holds up its own messages only.
        join_all(written).await.into_iter().collect()
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
}

/// The index by which receipts find the message, and the open row. A replay puts the row back, also when its message was
/// sent meanwhile: the host sends nothing that the journal says is no longer queued.
fn rows_of(
    account: AccountId,
    id: MessageId,
    message: MessageQueued,
    order: &Order,
) -> Result<[Write; 2], PortError> {
    let session: SessionId = message.session_id;
    let index = keys::whatsapp_id(account, session, &message.to.jid, None, &message.whatsapp_id);
    let MessageQueued { whatsapp_id, to, content, message_secret, expires_at, .. } = message;
    let open = OutboxRow { message_id: id, whatsapp_id, to, content, message_secret, expires_at };
    Ok([
        Write::Put(rows::row(index, 1, &id)?, Guard::Always),
        Write::Put(rows::row(keys::outbox_row(account, session, order), 1, &open)?, Guard::Always),
    ])
}
