//! Receipts for messages that are not known yet: parked and tried again. One that names a message nobody ever told us of
//! (it was sent before the session was linked, say) is given up after some minutes.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use waxwing_app::{
    commands::Outcomes,
    keys,
    ports::{Clock, Consistency, Guard, Job, Key, NewJob, PortError, Queue, Records, SecretBox, Work, Write},
    rows,
    worker::{JobHandler, Worker},
};
use waxwing_domain::{
    AccountId, MessageId, Person, SessionId,
    message::{ReceiptStep, RecordReceipt},
};

/// Seconds until the next look, after the first, second, … one.
const DELAYS_S: &[i64] = &[1, 2, 5, 10, 30, 60, 120];
const LEASE: Duration = Duration::from_secs(30);
const BATCH: usize = 64;
/// The row of a receipt outlives its job, which waits for 14 days at most: as a dead letter.
const ROW_KEPT: SignedDuration = SignedDuration::from_hours(15 * 24);

/// A receipt that waits for its message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ParkedReceipt {
    account: AccountId,
    session: SessionId,
    whatsapp_id: String,
    chat: Person,
    step: ReceiptStep,
    recipient: Person,
    at: Timestamp,
}

impl ParkedReceipt {
    pub(crate) fn new(
        account: AccountId,
        session: SessionId,
        whatsapp_id: &str,
        chat: &Person,
        receipt: &RecordReceipt,
    ) -> Self {
        let RecordReceipt { step, recipient, at } = receipt.clone();
        Self {
            account,
            session,
            whatsapp_id: whatsapp_id.to_owned(),
            chat: chat.clone(),
            step,
            recipient,
            at,
        }
    }
}

/// The job of a parked receipt. Queues carry ids only: the receipt itself, with its phone numbers, is a row.
#[derive(Serialize, Deserialize)]
struct Reference {
    account: AccountId,
    session: SessionId,
    receipt: String,
}

impl Reference {
    fn key(&self) -> Key {
        keys::parked_receipt(self.account, self.session, &self.receipt)
    }
}

/// Where parked receipts are.
#[derive(Clone)]
pub(crate) struct Parking {
    pub(crate) records: Arc<dyn Records>,
    pub(crate) work: Arc<dyn Work>,
    pub(crate) secrets: Arc<dyn SecretBox>,
}

impl Parking {
    /// Parks a receipt. The same one parked twice is one.
    pub(crate) async fn park(&self, receipt: &ParkedReceipt, now: Timestamp) -> Result<(), PortError> {
        let ParkedReceipt { account, session, whatsapp_id, step, recipient, .. } = receipt;
        let name = format!("{session}/{whatsapp_id}/{step:?}/{}", recipient.jid);
        let id = URL_SAFE_NO_PAD.encode(self.secrets.keyed_hash("parked_receipt", name.as_bytes()));
        let reference = Reference { account: *account, session: *session, receipt: id.clone() };
        let mut row = rows::row(reference.key(), 1, receipt)?;
        row.expires_at = now.checked_add(ROW_KEPT).ok();
        self.records.write_each(vec![Write::Put(row, Guard::Always)]).await?;
        let payload =
            serde_json::to_string(&reference).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let due_at = now.checked_add(SignedDuration::from_secs(1)).unwrap_or(now);
        self.work.push(Queue::RECEIPTS, vec![NewJob { id, payload, due_at }]).await
    }

    async fn parked(&self, reference: &Reference) -> Result<Option<ParkedReceipt>, PortError> {
        let row = self.records.get(&reference.key(), Consistency::Strong).await?;
        row.map(|row| rows::value(&row)).transpose()
    }

    /// The receipt needs no further look.
    async fn done(&self, reference: &Reference, job: &Job) -> Result<(), PortError> {
        self.records.write_each(vec![Write::Delete(reference.key(), Guard::Always)]).await?;
        self.work.complete(Queue::RECEIPTS, job).await
    }
}

/// Tries parked receipts again.
pub(crate) struct ReceiptRetry {
    pub(crate) outcomes: Outcomes,
    pub(crate) parking: Parking,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl JobHandler for ReceiptRetry {
    fn queue(&self) -> Queue {
        Queue::RECEIPTS
    }

    async fn handle(&self, job: Job) -> Result<(), PortError> {
        self.look(&job).await
    }
}

impl ReceiptRetry {
    /// Runs until `stop` becomes true.
    pub(crate) async fn run(self, stop: watch::Receiver<bool>) {
        let work = self.parking.work.clone();
        // One after the other: several are about one message.
        Worker { work, handler: Arc::new(self), batch: BATCH, side_by_side: 1, lease: LEASE }.run(stop).await;
    }

    async fn look(&self, job: &Job) -> Result<(), PortError> {
        let Ok(reference) = serde_json::from_str::<Reference>(&job.payload) else {
            return self.parking.work.bury(Queue::RECEIPTS, job, "the payload cannot be read").await;
        };
        let Some(parked) = self.parking.parked(&reference).await? else {
            return self.parking.work.complete(Queue::RECEIPTS, job).await;
        };
        let ParkedReceipt { account, session, whatsapp_id, chat, step, recipient, at } = parked;
        let key = keys::whatsapp_id(account, session, &chat.jid, None, &whatsapp_id);
        let message: Option<MessageId> = rows::get(&*self.parking.records, &key).await?;
        if let Some(message) = message {
            let receipt = RecordReceipt { step, recipient, at };
            self.outcomes.receipt(account, session, message, receipt).await?;
            return self.parking.done(&reference, job).await;
        }
        let tried = usize::try_from(job.attempts).unwrap_or(usize::MAX);
        match DELAYS_S.get(tried.saturating_sub(1)) {
            Some(delay_s) => {
                let delay = SignedDuration::from_secs(*delay_s);
                let due_at = self.clock.now().checked_add(delay).unwrap_or(Timestamp::MAX);
                self.parking.work.retry(Queue::RECEIPTS, job, due_at).await
            },
            None => self.parking.done(&reference, job).await,
        }
    }
}
