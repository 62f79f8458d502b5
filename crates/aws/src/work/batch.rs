//! Sending: ten messages a call, and what a call leaves over once more.

use std::ops::Range;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use serde::Serialize;
use waxwing_app::ports::PortError;

use super::{AwsWork, BATCH_LIMIT, Target, body};
use crate::{
    failure::refused,
    pause::{TRIES, pause},
};

/// SQS holds a message back for so long at most.
pub(super) const DELAY_LIMIT_S: i64 = 15 * 60;
/// Bytes of all messages of one call.
const BATCH_LIMIT_BYTES: usize = 256 << 10;
const BATCHES_AT_ONCE: usize = 8;

/// A message to send.
pub(super) struct Outgoing {
    text: String,
    delay_s: i32,
}

impl Outgoing {
    pub(super) fn new(body: &impl Serialize, delay_s: i32) -> Result<Self, PortError> {
        let text = body::text(body)?;
        match text.len() <= BATCH_LIMIT_BYTES {
            true => Ok(Self { text, delay_s }),
            false => {
                Err(refused(format_args!("a job takes more than {BATCH_LIMIT_BYTES} bytes as a message")))
            },
        }
    }
}

/// Whole seconds until the time, never less; `None` when SQS cannot hold a message back for so long.
pub(super) fn delay_s(now: Timestamp, due_at: Timestamp) -> Option<i32> {
    let wait = due_at.duration_since(now);
    let wait_s = wait.as_secs().saturating_add(i64::from(wait.subsec_nanos() > 0)).max(0);
    i32::try_from(wait_s).ok().filter(|_| wait_s <= DELAY_LIMIT_S)
}

/// What could not be sent.
#[derive(Default)]
pub(super) struct Unsent {
    /// Which messages, by their places. That one of them reached the queue all the same is possible.
    pub(super) places: Vec<usize>,
    /// Why, of one of them.
    pub(super) error: Option<PortError>,
}

impl Unsent {
    pub(super) fn into_result(self) -> Result<(), PortError> {
        self.error.map_or(Ok(()), Err)
    }

    fn add(&mut self, place: usize, error: PortError) {
        self.places.push(place);
        self.error.get_or_insert(error);
    }
}

/// Sends all, every call to its end, also when another failed.
pub(super) async fn send(work: &AwsWork, target: Target<'_>, messages: &[Outgoing]) -> Unsent {
    let sizes: Vec<usize> = messages.iter().map(|message| message.text.len()).collect();
    let calls = stream::iter(batches(&sizes)).map(|batch| send_batch(work, target, messages, batch));
    let ended: Vec<Unsent> = calls.buffer_unordered(BATCHES_AT_ONCE).collect().await;
    let mut all = Unsent::default();
    for of_batch in ended {
        all.places.extend(of_batch.places);
        all.error = all.error.or(of_batch.error);
    }
    all
}

async fn send_batch(
    work: &AwsWork,
    target: Target<'_>,
    messages: &[Outgoing],
    batch: Range<usize>,
) -> Unsent {
    let mut unsent = Unsent::default();
    let mut left: Vec<usize> = batch.collect();
    let mut last_error = None;
    for tries in 0..TRIES {
        let entry = |place: &usize| {
            SendMessageBatchRequestEntry::builder()
                .id(place.to_string())
                .message_body(&messages[*place].text)
                .delay_seconds(messages[*place].delay_s)
                .build()
                .expect("id and body are set")
        };
        let entries = left.iter().map(entry).collect();
        let sent =
            work.sqs.send_message_batch().queue_url(target.url).set_entries(Some(entries)).send().await;
        let failed = match sent {
            Ok(answer) => answer.failed,
            Err(error) => {
                left.into_iter().for_each(|place| unsent.add(place, target.error(&error)));
                return unsent;
            },
        };
        left.clear();
        for entry in failed {
            let error = target.entry_error(entry.code(), entry.message());
            match entry.id().parse() {
                Ok(place) if !entry.sender_fault() => {
                    left.push(place);
                    last_error = Some(error);
                },
                Ok(place) => unsent.add(place, error),
                Err(_) => unsent.error = Some(error),
            }
        }
        if left.is_empty() {
            return unsent;
        }
        pause(&*work.entropy, tries).await;
    }
    unsent.places.extend(left);
    unsent.error = unsent.error.or(last_error);
    unsent
}

/// As few calls as their limits allow, in order.
fn batches(sizes: &[usize]) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (place, size) in sizes.iter().enumerate() {
        bytes += size;
        match batches.last_mut() {
            Some(last) if last.len() < BATCH_LIMIT && bytes <= BATCH_LIMIT_BYTES => last.end = place + 1,
            _ => {
                batches.push(place..place + 1);
                bytes = *size;
            },
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_delay_is_never_shorter_than_the_wait() {
        let now = Timestamp::from_millisecond(1_767_225_600_123).unwrap();
        let delay = |wait_ms| delay_s(now, now + SignedDuration::from_millis(wait_ms));
        assert_eq!(delay(-5_000), Some(0));
        assert_eq!(delay(-1), Some(0));
        assert_eq!(delay(0), Some(0));
        assert_eq!(delay(1), Some(1));
        assert_eq!(delay(1_000), Some(1));
        assert_eq!(delay(1_001), Some(2));
        assert_eq!(delay(900_000), Some(900));
        assert_eq!(delay(900_001), None);
        assert_eq!(delay_s(Timestamp::MIN, Timestamp::MAX), None);
        assert_eq!(delay_s(Timestamp::MAX, Timestamp::MIN), Some(0));
    }

    #[test]
    fn a_call_has_ten_messages_and_so_many_bytes() {
        assert_eq!(batches(&[]), [0..0; 0]);
        assert_eq!(batches(&[1; 25]), [0..10, 10..20, 20..25]);
        let half = BATCH_LIMIT_BYTES / 2;
        assert_eq!(batches(&[half, half, 1]), [0..2, 2..3]);
        assert_eq!(batches(&[1, half, half]), [0..2, 2..3]);
        assert_eq!(batches(&[BATCH_LIMIT_BYTES, BATCH_LIMIT_BYTES]), [0..1, 1..2]);
    }

    #[test]
    fn what_no_call_has_room_for_is_refused() {
        let error = Outgoing::new(&"x".repeat(BATCH_LIMIT_BYTES), 0).err().unwrap();
        assert!(!error.is_transient(), "{error}");
    }
}
