use std::time::{Duration, Instant};

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use waxwing_app::{
    feed::FeedPush,
    ports::{Clock, FeedItem, PortError},
    worker::JobHandler,
};
use waxwing_aws::{AwsWork, StreamRecord};
use waxwing_runtime::{SystemClock, print_metrics};

/// What a DynamoDB stream calls a function with.
#[derive(Debug, Deserialize)]
pub struct StreamEvent {
    /// In the order of their shard.
    #[serde(rename = "Records")]
    pub records: Vec<StreamRecord>,
}

/// What a queue of SQS calls a function with.
#[derive(Debug, Deserialize)]
pub struct QueueEvent {
    /// In no order.
    #[serde(rename = "Records")]
    pub records: Vec<QueueRecord>,
}

/// A message of a queue. Source: "Using Lambda with Amazon SQS" in the Lambda guide.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueRecord {
    message_id: String,
    receipt_handle: String,
    body: String,
    attributes: QueueAttributes,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueAttributes {
    approximate_receive_count: String,
}

/// Which records of a batch have to come again (`ReportBatchItemFailures`).
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchFailures {
    batch_item_failures: Vec<BatchFailure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchFailure {
    item_identifier: String,
}

impl BatchFailures {
    fn of(identifiers: impl IntoIterator<Item = String>) -> Self {
        let failure = |item_identifier| BatchFailure { item_identifier };
        Self { batch_item_failures: identifiers.into_iter().map(failure).collect() }
    }
}

/// Hands the commits of a batch to the consumers. An error is transient: all of the batch has to come again, and the
/// event source sees to it. A record that cannot be read comes again alone with what is behind it, until the event source
/// has tried it as often as it may and put it aside.
pub async fn run_stream(push: &mut FeedPush, event: StreamEvent) -> Result<BatchFailures, PortError> {
    let began = Instant::now();
    let (mut items, mut failed) = (Vec::<FeedItem>::new(), None);
    for record in &event.records {
        match record.feed_item() {
            Ok(item) => items.extend(item),
            Err(error) => {
                let sequence = &record.dynamodb.sequence_number;
                tracing::error!(%error, sequence, "a record of the stream cannot be read");
                failed = Some(sequence.clone());
                break;
            },
        }
    }
    push.handle(&items).await.inspect_err(|error| {
        tracing::warn!(%error, commits = items.len(), "the batch has to come again");
    })?;
    metric("Commits", items.len(), began);
    Ok(BatchFailures::of(failed))
}

/// A job that could be neither made nor put back comes again after this time, which doubles each time.
const COMES_AGAIN: Duration = Duration::from_secs(20);
/// Up to the visibility of the queue's messages: so a long outage does not use up the receives after which SQS gives up.
const COMES_AGAIN_MAX: Duration = Duration::from_secs(360);

/// Does the jobs of a batch, side by side. One that could be neither done nor put back comes again.
pub async fn run_jobs(handler: &dyn JobHandler, work: &AwsWork, event: QueueEvent) -> BatchFailures {
    let began = Instant::now();
    let count = event.records.len();
    let delivered = event.records.into_iter().map(|record| async move {
        let receives: u32 = record.attributes.approximate_receive_count.parse().unwrap_or(1);
        let job = AwsWork::job_of(&record.message_id, &record.receipt_handle, &record.body, receives);
        match handler.handle(job.clone()).await {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(%error, message = record.message_id, "a job has to come again");
                if let Err(error) = work.release(handler.queue(), &job, comes_again(receives)).await {
                    tracing::warn!(%error, message = record.message_id, "it comes when its visibility ends");
                }
                Some(record.message_id)
            },
        }
    });
    let failed = join_all(delivered).await;
    metric("Jobs", count, began);
    BatchFailures::of(failed.into_iter().flatten())
}

/// When a delivery comes again that was received so often.
fn comes_again(receives: u32) -> Duration {
    let doublings = receives.saturating_sub(1).min(10);
    COMES_AGAIN.saturating_mul(1 << doublings).min(COMES_AGAIN_MAX)
}

/// How much was done in how long.
fn metric(name: &str, count: usize, began: Instant) {
    // Exact up to more than any batch holds.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let count = count as f64;
    let took_ms = began.elapsed().as_secs_f64() * 1_000.0;
    print_metrics(SystemClock::default().now(), &[(name, "Count", count), ("Took", "Milliseconds", took_ms)]);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_outage_of_five_hours_leaves_a_delivery_in_its_queue() {
        assert_eq!([1, 2, 5, 6, u32::MAX].map(|n| comes_again(n).as_secs()), [20, 40, 320, 360, 360]);
        // As often as template.yaml lets a message be received.
        let all: Duration = (1..60).map(comes_again).sum();
        assert!(all > Duration::from_secs(5 * 3_600), "{all:?}");
    }

    #[test]
    fn a_batch_of_sqs_is_read_and_failures_are_named() {
        let event: QueueEvent = serde_json::from_value(json!({ "Records": [{
            "messageId": "m1", "receiptHandle": "r1", "body": "{}", "md5OfBody": "x", "eventSource": "aws:sqs",
            "attributes": { "ApproximateReceiveCount": "3", "SentTimestamp": "1" }, "awsRegion": "eu-central-1",
        }]}))
        .unwrap();
        assert_eq!(event.records[0].attributes.approximate_receive_count, "3");
        let failures = BatchFailures::of(["m1".to_owned()]);
        assert_eq!(
            serde_json::to_value(&failures).unwrap(),
            json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }] })
        );
        assert_eq!(
            serde_json::to_value(BatchFailures::default()).unwrap(),
            json!({ "batchItemFailures": [] })
        );
    }
}
