//! Jobs on SQS. The queue itself is the truth; see `docs/adr/0004-jobs-on-sqs.md`.
//!
//! For each [`Queue`] there is a standard queue, and beside it one for the dead letters. SQS holds a message back for 15
//! minutes at most: jobs that are due later wait as rows in Records, until [`AwsWork::promote`] sends them.
//!
//! A function that SQS calls makes a [`Job`] of each message with [`AwsWork::job_of`] and gives it to the handler that
//! everybody uses. The handler ends the job by `complete`, `retry` or `bury`; the function answers without it among the
//! failed items of its batch, and Lambda deletes the messages of the batch with one request, which is why `complete` sends
//! none. A job that the handler could not end (the engine failed, say) it names as failed: the message comes back, one attempt
//! on, when [`AwsWork::release`] says or its visibility ends.

mod batch;
mod body;
mod dead;
mod due;
mod urls;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::delete_message::DeleteMessageError,
    types::{Message, MessageSystemAttributeName},
};
use jiff::Timestamp;
use tokio::sync::watch;
use waxwing_app::ports::{Clock, DeadJob, Entropy, Job, NewJob, PortError, Queue, Records, Work};

use crate::failure::{cancellation, port_error, refused};
use batch::Outgoing;
use body::{Body, DeadBody};
pub use urls::QueueUrls;

const PUSH_LIMIT: usize = 1_000;
const PAYLOAD_LIMIT_BYTES: usize = 4 << 10;
/// Messages in one call, whatever it does with them.
const BATCH_LIMIT: usize = 10;
/// SQS hides a message for so long at most.
const LEASE_LIMIT_S: i32 = 12 * 60 * 60;
/// Before the receipt handle in the lease of a job whose message Lambda deletes once its function is done.
const BY_LAMBDA: &str = "lambda:";
/// A worker looks this often for jobs of others; each look is a request.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// And so long after a job of this process is due.
const AFTER_DUE: Duration = Duration::from_millis(50);

/// Jobs on SQS.
pub struct AwsWork {
    sqs: Client,
    queues: Vec<QueueUrls>,
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// When the first job is due that this process put, if that is soon.
    next_due: watch::Sender<Option<Timestamp>>,
}

impl AwsWork {
    /// Works on these queues. Jobs that are due in more than 15 minutes wait in `records`.
    pub fn new(
        config: &SdkConfig,
        queues: Vec<QueueUrls>,
        records: Arc<dyn Records>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let next_due = watch::Sender::new(None);
        Self { sqs: Client::new(config), queues, records, clock, entropy, next_due }
    }

    /// The job in a message that Lambda was called with: its id, receipt handle and body, and its
    /// `ApproximateReceiveCount`. A body that says no job is one with this payload, so that its handler buries it.
    pub fn job_of(message_id: &str, receipt_handle: &str, body: &str, receive_count: u32) -> Job {
        let Body { id, payload, attempts } = Body::read(message_id, body);
        let attempts = attempts.saturating_add(receive_count.max(1));
        Job { id, payload, attempts, lease: format!("{BY_LAMBDA}{receipt_handle}") }
    }

    /// Lets a job that Lambda brought, and that could not be done, come again after this time instead of when its message's
    /// visibility ends, which is longer than the longest function.
    pub async fn release(&self, queue: Queue, job: &Job, after: Duration) -> Result<(), PortError> {
        let target = self.target(queue.0)?;
        let receipt = job.lease.strip_prefix(BY_LAMBDA).unwrap_or(&job.lease);
        let hidden_s = i32::try_from(after.as_secs()).unwrap_or(LEASE_LIMIT_S).min(LEASE_LIMIT_S);
        let changed = self
            .sqs
            .change_message_visibility()
            .queue_url(target.url)
            .receipt_handle(receipt)
            .visibility_timeout(hidden_s)
            .send()
            .await;
        changed.map(drop).map_err(|error| target.error(&error))
    }

    /// Sends what is due within 15 minutes after `now` from Records to its queue, where it waits for the rest of its time.
    /// Says how many jobs that were. To be called each minute: it is what makes jobs run that are put off for longer than
    /// SQS can hold them. Two at once may send a job twice.
    pub async fn promote(&self, now: Timestamp) -> Result<usize, PortError> {
        due::promote(self, now).await
    }

    fn urls(&self, queue: &str) -> Result<&QueueUrls, PortError> {
        let urls = self.queues.iter().find(|urls| urls.queue.0 == queue);
        urls.ok_or_else(|| PortError::Unavailable(format!("no queue of SQS is set for the jobs of {queue}")))
    }

    fn target(&self, queue: &str) -> Result<Target<'_>, PortError> {
        Ok(Target { url: &self.urls(queue)?.url })
    }

    fn dead_target(&self, queue: Queue) -> Result<Target<'_>, PortError> {
        Ok(Target { url: &self.urls(queue.0)?.dead_url })
    }

    /// Messages that nobody else gets for `hidden_s` seconds, up to `limit`, or as many as one call brings.
    async fn receive(
        &self,
        target: Target<'_>,
        limit: usize,
        hidden_s: i32,
        wait_s: i32,
    ) -> Result<Vec<Message>, PortError> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(target.url)
            .max_number_of_messages(i32::try_from(limit.min(BATCH_LIMIT)).unwrap_or(1))
            .visibility_timeout(hidden_s)
            .wait_time_seconds(wait_s)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await;
        Ok(received.map_err(|error| target.error(&error))?.messages.unwrap_or_default())
    }

    /// Deletes a message. One that is gone already, or that another holds now, is none of the caller's any more.
    async fn delete(&self, target: Target<'_>, receipt: &str) -> Result<(), PortError> {
        let deleted = self.sqs.delete_message().queue_url(target.url).receipt_handle(receipt).send().await;
        match deleted {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(DeleteMessageError::is_receipt_handle_is_invalid) =>
            {
                Ok(())
            },
            Err(error) => Err(target.error(&error)),
        }
    }

    /// A job that was put elsewhere must not come again with the rest of its batch, when that fails.
    async fn delete_message_of(&self, queue: Queue, job: &Job) -> Result<(), PortError> {
        let receipt = job.lease.strip_prefix(BY_LAMBDA).unwrap_or(&job.lease);
        self.delete(self.target(queue.0)?, receipt).await
    }

    /// Sends jobs, each to be due at its time: at once, delayed by SQS, or by way of Records.
    async fn put(&self, queue: Queue, jobs: Vec<(Body, Timestamp)>) -> Result<(), PortError> {
        let now = self.clock.now();
        if let Some(first) = jobs.iter().map(|(_, due_at)| *due_at).min() {
            self.next_due.send_modify(|next| *next = Some(next.map_or(first, |next| next.min(first))));
        }
        let (mut soon, mut later) = (Vec::new(), Vec::new());
        for (body, due_at) in jobs {
            match batch::delay_s(now, due_at) {
                Some(delay_s) => soon.push(Outgoing::new(&body, delay_s)?),
                None => later.push(due::row(queue.0, &body, due_at, &*self.entropy)?),
            }
        }
        if !soon.is_empty() {
            batch::send(self, self.target(queue.0)?, &soon).await.into_result()?;
        }
        if !later.is_empty() {
            due::write(self, later).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Work for AwsWork {
    async fn push(&self, queue: Queue, jobs: Vec<NewJob>) -> Result<(), PortError> {
        if jobs.len() > PUSH_LIMIT {
            return Err(refused(format_args!("more than {PUSH_LIMIT} jobs at once")));
        }
        if jobs.iter().any(|job| job.payload.len() > PAYLOAD_LIMIT_BYTES) {
            return Err(refused(format_args!("more than {PAYLOAD_LIMIT_BYTES} bytes in a job's payload")));
        }
        let jobs = jobs.into_iter().map(|NewJob { id, payload, due_at }| {
            let body = Body { id, payload, attempts: 0 };
            (body, due_at)
        });
        self.put(queue, jobs.collect()).await
    }

    async fn lease(&self, queue: Queue, limit: usize, lease: Duration) -> Result<Vec<Job>, PortError> {
        let target = self.target(queue.0)?;
        let hidden_s = lease.as_millis().div_ceil(1_000).max(1);
        let hidden_s = i32::try_from(hidden_s).unwrap_or(LEASE_LIMIT_S).min(LEASE_LIMIT_S);
        let mut jobs = Vec::new();
        while jobs.len() < limit {
            match self.receive(target, limit - jobs.len(), hidden_s, 0).await {
                Ok(messages) if messages.is_empty() => break,
                Ok(messages) => jobs.extend(messages.iter().map(job_in)),
                // The next call says it. What is leased is worked on until then.
                Err(_) if !jobs.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(jobs)
    }

    async fn complete(&self, queue: Queue, job: &Job) -> Result<(), PortError> {
        match job.lease.starts_with(BY_LAMBDA) {
            true => Ok(()),
            false => self.delete_message_of(queue, job).await,
        }
    }

    async fn retry(&self, queue: Queue, job: &Job, due_at: Timestamp) -> Result<(), PortError> {
        // Sent first: a crash between the two repeats the job, and the other way round would lose it.
        self.put(queue, vec![(Body::of(job), due_at)]).await?;
        self.delete_message_of(queue, job).await
    }

    async fn bury(&self, queue: Queue, job: &Job, reason: &str) -> Result<(), PortError> {
        let letter = Outgoing::new(&DeadBody::new(Body::of(job), reason, self.clock.now()), 0)?;
        batch::send(self, self.dead_target(queue)?, &[letter]).await.into_result()?;
        self.delete_message_of(queue, job).await
    }

    async fn dead(&self, queue: Queue, limit: usize) -> Result<Vec<DeadJob>, PortError> {
        dead::look(self, queue, limit).await
    }

    async fn redrive(&self, queue: Queue, id: &str) -> Result<(), PortError> {
        dead::redrive(self, queue, id).await
    }

    async fn discard(&self, queue: Queue, id: &str) -> Result<(), PortError> {
        dead::discard(self, queue, id).await
    }

    async fn changed(&self, _queue: Queue) {
        let until = tokio::time::Instant::now() + LONGEST_WAIT;
        let mut next_due = self.next_due.subscribe();
        loop {
            let due_at = *next_due.borrow_and_update();
            let left = due_at.map(|due_at| {
                let left = Duration::try_from(due_at.duration_since(self.clock.now())).unwrap_or_default();
                tokio::time::Instant::now() + left + AFTER_DUE
            });
            tokio::select! {
                () = tokio::time::sleep_until(left.map_or(until, |left| left.min(until))) => break,
                _ = next_due.changed() => {},
            }
        }
        let now = self.clock.now();
        self.next_due.send_if_modified(|next| next.take_if(|due_at| *due_at <= now).is_some());
    }
}

fn job_in(message: &Message) -> Job {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let receive_count = attribute(message, &MessageSystemAttributeName::ApproximateReceiveCount).unwrap_or(1);
    let (id, receipt, body) = (text(&message.message_id), text(&message.receipt_handle), text(&message.body));
    Job { lease: receipt, ..AwsWork::job_of(&id, "", &body, receive_count) }
}

fn attribute<N: std::str::FromStr>(message: &Message, name: &MessageSystemAttributeName) -> Option<N> {
    message.attributes.as_ref()?.get(name)?.parse().ok()
}

/// A queue of SQS.
#[derive(Clone, Copy)]
struct Target<'a> {
    url: &'a str,
}

impl Target<'_> {
    fn error<E>(&self, error: &SdkError<E, HttpResponse>) -> PortError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let target = self.to_string();
        match error.as_service_error() {
            Some(answer) => {
                self.refusal(answer.code(), answer.message()).unwrap_or_else(|| port_error(&target, error))
            },
            None => port_error(&target, error),
        }
    }

    /// What was said of one message of a batch.
    fn entry_error(&self, code: &str, message: Option<&str>) -> PortError {
        self.refusal(Some(code), message).unwrap_or_else(|| cancellation(&self.to_string(), code, message))
    }

    /// The codes that only SQS has.
    fn refusal(&self, code: Option<&str>, message: Option<&str>) -> Option<PortError> {
        let message = message.unwrap_or("no explanation");
        let code = code?;
        let text = format!("{self}: {code}: {message}");
        Some(match code {
            "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue" => PortError::Unavailable(
                format!("{self} does not exist in this AWS account and region ({message})"),
            ),
            "RequestThrottled" | "OverLimit" => PortError::Throttled(text),
            "InvalidMessageContents"
            | "InvalidParameterValue"
            | "MissingParameter"
            | "BatchRequestTooLong"
            | "AWS.SimpleQueueService.BatchRequestTooLong" => refused(text),
            _ => return None,
        })
    }
}

impl std::fmt::Display for Target<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "queue {}", self.url.rsplit('/').next().unwrap_or_default())
    }
}
