//! What became of messages, recorded in order per message and side by side for different ones.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use waxwing_app::{
    commands::{Outcomes, SentId},
    keys,
    ports::{Clock, Guard, Key, PortError, Records, Write},
    rows,
};
use waxwing_domain::{
    AccountId, MessageId, Person, SessionId,
    message::{Message, MessageStatus, RecordReceipt},
};

use crate::receipts::{ParkedReceipt, Parking};

/// Lanes of a host. Enough to fill the group commits of the journal.
pub(crate) const LANES: usize = 64;
/// Outcomes that may wait in a lane. A full lane holds its sessions back, and past the limit of their queues they
/// close their sockets.
const LANE_LEN: usize = 256;
/// Pause after the engine failed; it doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What the socket, or its absence, says of a message.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// WhatsApp has it.
    Sent { sent: SentId, open_row: Key },
    /// WhatsApp refused it, or it cannot be sent.
    Failed { sent: SentId, open_row: Key, code: &'static str, detail: String },
    /// Its time is over.
    Expired { sent: SentId, open_row: Key },
    /// Its row is there though it was ended before: a replay of the feed put it back, or it could not be removed.
    Over { sent: SentId, open_row: Key },
    /// A recipient made a step.
    Receipt { session: SessionId, whatsapp_id: String, chat: Person, receipt: RecordReceipt },
}

impl Outcome {
    /// The message, where it is of something that was done to one.
    fn operation_on(&self) -> Option<MessageId> {
        let (Self::Sent { sent, .. }
        | Self::Failed { sent, .. }
        | Self::Expired { sent, .. }
        | Self::Over { sent, .. }) = self
        else {
            return None;
        };
        sent.operation_id.is_some().then_some(sent.message_id)
    }
}

enum Item {
    Entry(Box<Entry>),
    /// Answered when everything before it is recorded.
    Barrier(oneshot::Sender<()>),
}

struct Entry {
    account: AccountId,
    outcome: Outcome,
    at: Timestamp,
}

/// The lanes of a host.
#[derive(Clone)]
pub(crate) struct Lanes {
    lanes: Arc<Vec<mpsc::Sender<Item>>>,
    clock: Arc<dyn Clock>,
}

/// What a lane needs.
#[derive(Clone)]
pub(crate) struct LanePorts {
    pub(crate) outcomes: Outcomes,
    pub(crate) records: Arc<dyn Records>,
    pub(crate) parking: Parking,
}

impl Lanes {
    /// Starts the lanes. They end when the last clone of the handle is gone and everything is recorded.
    pub(crate) fn start(ports: &LanePorts, clock: Arc<dyn Clock>) -> (Self, JoinSet<()>) {
        let mut tasks = JoinSet::new();
        let lanes = (0..LANES)
            .map(|_| {
                let (sender, receiver) = mpsc::channel(LANE_LEN);
                tasks.spawn(run(ports.clone(), receiver));
                sender
            })
            .collect();
        (Self { lanes: Arc::new(lanes), clock }, tasks)
    }

    /// Records an outcome. Outcomes with the same WhatsApp id, and those of what is done to the same message, are recorded in
    /// the order of these calls.
    pub(crate) async fn record(&self, account: AccountId, whatsapp_id: &str, outcome: Outcome) {
        let mut hasher = DefaultHasher::new();
        match outcome.operation_on() {
            Some(message) => message.hash(&mut hasher),
            None => whatsapp_id.hash(&mut hasher),
        }
        let lane = usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0);
        let entry = Entry { account, outcome, at: self.clock.now() };
        // A lane ends only with the host, and then WhatsApp's word comes again: what was not recorded is sent again.
        let _ = self.lanes[lane].send(Item::Entry(Box::new(entry))).await;
    }

    /// Returns when everything that was handed over before is recorded, or after the time: what is left comes again.
    pub(crate) async fn drained(&self, at_most: Duration) {
        let all = async {
            let mut barriers = Vec::with_capacity(LANES);
            for lane in self.lanes.iter() {
                let (reached, barrier) = oneshot::channel();
                if lane.send(Item::Barrier(reached)).await.is_ok() {
                    barriers.push(barrier);
                }
            }
            for barrier in barriers {
                let _ = barrier.await;
            }
        };
        if tokio::time::timeout(at_most, all).await.is_err() {
            tracing::warn!("some outcomes were not recorded in time; what they were about is sent again");
        }
    }
}

async fn run(ports: LanePorts, mut entries: mpsc::Receiver<Item>) {
    while let Some(item) = entries.recv().await {
        let entry = match item {
            Item::Entry(entry) => entry,
            Item::Barrier(reached) => {
                let _ = reached.send(());
                continue;
            },
        };
        let mut pause = PAUSE;
        loop {
            match ports.record(&entry).await {
                Ok(()) => break,
                Err(
                    error @ (PortError::Unavailable(_) | PortError::Throttled(_) | PortError::Conflict(_)),
                ) => {
                    tracing::warn!(%error, "an outcome waits for the engine");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                },
                Err(error) => {
                    tracing::error!(%error, "an outcome cannot be recorded");
                    break;
                },
            }
        }
    }
}

impl LanePorts {
    /// First the commit, then the open row goes, in that order: a crash in between repeats a send with the same id and
    /// records nothing twice.
    async fn record(&self, Entry { account, outcome, at }: &Entry) -> Result<(), PortError> {
        match outcome {
            Outcome::Sent { sent, open_row } => {
                self.outcomes.sent(*account, sent, *at).await?;
                self.close(open_row).await
            },
            Outcome::Failed { sent, open_row, code, detail } => {
                self.outcomes.failed(*account, sent, code, detail, *at).await?;
                self.close(open_row).await
            },
            Outcome::Expired { sent, open_row } => {
                self.outcomes.expired(*account, sent, *at).await?;
                self.close(open_row).await
            },
            Outcome::Over { sent: SentId { message_id, operation_id }, open_row } => {
                let id = message_id.to_string();
                let (message, _) = self.outcomes.ports.load::<Message>(*account, &id).await?;
                let waits = match operation_id {
                    None => message.status() == MessageStatus::Queued,
                    Some(operation) => message.is_pending(operation),
                };
                // What is still to be sent keeps its row, whatever was believed.
                if waits { Ok(()) } else { self.close(open_row).await }
            },
            Outcome::Receipt { session, whatsapp_id, chat, receipt } => {
                let key = keys::whatsapp_id(*account, *session, &chat.jid, None, whatsapp_id);
                match rows::get::<MessageId>(&*self.records, &key).await? {
                    Some(message) => {
                        self.outcomes.receipt(*account, *session, message, receipt.clone()).await
                    },
                    None => {
                        let parked = ParkedReceipt::new(*account, *session, whatsapp_id, chat, receipt);
                        self.parking.park(&parked, *at).await
                    },
                }
            },
        }
    }

    async fn close(&self, open_row: &Key) -> Result<(), PortError> {
        self.records.write_each(vec![Write::Delete(open_row.clone(), Guard::Always)]).await.map(drop)
    }
}
