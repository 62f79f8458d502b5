//! Writes outbox rows before the feed is acknowledged, then pokes the session's host.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use waxwing_domain::{
    AccountId, Content, Context, MessageId, Person, Secret, SessionId,
    message::{Message, MessageEvent, MessageQueued, MessageStatus, Operation, OperationAsked},
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

/// An open outbox row: what has not been acknowledged by WhatsApp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxRow {
    /// The message, or the one to which something is to be done.
    pub message_id: MessageId,
    /// The id under which every try is sent.
    pub whatsapp_id: String,
    /// The chat.
    pub to: Person,
    /// What is sent.
    pub payload: OutboxPayload,
    /// 32 bytes in base64 that every try carries.
    pub message_secret: Secret,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Given up at this time.
    pub expires_at: Timestamp,
}

/// What an outbox row sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxPayload {
    /// A message.
    Message {
        /// What it carries.
        content: Content,
        /// What it says beside that.
        #[serde(default, skip_serializing_if = "is_empty")]
        context: Box<Context>,
    },
    /// Something that is done to a message.
    Operation {
        /// What.
        operation: Operation,
        /// WhatsApp's id of the message.
        target: String,
        /// Who wrote it, where somebody else did.
        author: Option<Person>,
    },
}

fn is_empty(context: &Context) -> bool {
    context.is_empty()
}

impl OutboxRow {
    /// The id of the operation, where the row is one.
    pub fn operation_id(&self) -> Option<&str> {
        match self.payload {
            OutboxPayload::Message { .. } => None,
            OutboxPayload::Operation { .. } => Some(&self.whatsapp_id),
        }
    }

    /// Whether the journal says that it still has to be sent.
    pub fn is_wanted(&self, message: &Message) -> bool {
        match self.operation_id() {
            None => message.status() == MessageStatus::Queued,
            Some(operation) => message.is_pending(operation),
        }
    }
}

/// Commits after which something is sent → outbox rows.
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
        let sends = |kind: &String| kind == "message.queued" || kind == "message.operation_asked";
        let mut sessions: BTreeMap<_, Vec<Vec<Write>>> = BTreeMap::new();
        for item in items.iter().filter(|item| item.commit.types.iter().any(sends)) {
            let Some((session, rows)) = self.rows_of(item).await? else { continue };
            sessions.entry((item.commit.account, session)).or_default().push(rows);
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
    /// What the commit puts into the outbox of a session; nothing for a replay of what is over.
    async fn rows_of(&self, item: &FeedItem) -> Result<Option<(SessionId, Vec<Write>)>, PortError> {
        let commit = &item.commit;
        let id =
            MessageId::parse(commit.stream.id()).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let events = codec::open::<MessageEvent>(&*self.ports.secrets, commit).await?;
        let found = events.into_iter().find_map(|event| match event {
            MessageEvent::Queued(queued) => Some((queued.session_id, message_row(id, queued))),
            MessageEvent::OperationAsked(asked) => Some((asked.session_id, operation_row(id, asked))),
            _ => None,
        });
        let Some((session, open)) = found else { return Ok(None) };
        if self.ports.clock.now().duration_since(commit.at) > REPLAY_AFTER {
            let (message, _) = self.ports.load::<Message>(commit.account, commit.stream.id()).await?;
            if !open.is_wanted(&message) {
                return Ok(None);
            }
        }
        Ok(Some((session, writes(commit.account, session, &open, &item.order)?)))
    }
}

fn message_row(id: MessageId, message: MessageQueued) -> OutboxRow {
    let MessageQueued { whatsapp_id, to, content, context, message_secret, expires_at, at, .. } = message;
    let payload = OutboxPayload::Message { content, context: Box::new(context) };
    OutboxRow { message_id: id, whatsapp_id, to, payload, message_secret, accepted_at: at, expires_at }
}

fn operation_row(id: MessageId, asked: OperationAsked) -> OutboxRow {
    let OperationAsked { whatsapp_id: target, operation_id, operation, chat, author, .. } = asked;
    let OperationAsked { message_secret, expires_at, at: accepted_at, .. } = asked;
    let payload = OutboxPayload::Operation { operation, target, author };
    let (message_id, whatsapp_id, to) = (id, operation_id, chat);
    OutboxRow { message_id, whatsapp_id, to, payload, message_secret, accepted_at, expires_at }
}

/// The index by which receipts find a message, and the open row. A replay puts the row back, also when it was sent
/// meanwhile: the host sends nothing that the journal says is no longer wanted.
fn writes(
    account: AccountId,
    session: SessionId,
    open: &OutboxRow,
    order: &Order,
) -> Result<Vec<Write>, PortError> {
    let row = rows::row(keys::outbox_row(account, session, order), 1, open)?;
    let row = Write::Put(row, Guard::Always);
    if open.operation_id().is_some() {
        return Ok(vec![row]);
    }
    let index = keys::whatsapp_id(account, session, &open.to.jid, None, &open.whatsapp_id);
    Ok(vec![Write::Put(rows::row(index, 1, &open.message_id)?, Guard::Always), row])
}
