//! Dead letters. SQS cannot show messages, only hand them out: whoever looks takes letters up, hidden from everybody else
//! meanwhile, and gives them back.

use std::collections::HashSet;

use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use waxwing_app::ports::{DeadJob, PortError, Queue};

use super::{AwsWork, BATCH_LIMIT, Target, batch, batch::Outgoing, body, body::Body};

/// Letters that one call looks at.
const LOOK_LIMIT: usize = 1_000;
/// A call takes less; after a crash in it, the letters that it took up are seen again after this time.
const HIDDEN_S: i32 = 60;
/// With a wait SQS asks all its servers, and does not say "none" for a queue with few messages.
const WAIT_S: i32 = 1;

/// A letter that was taken up.
struct Letter {
    job: DeadJob,
    receipt: String,
}

/// Up to `limit` of them, the oldest of these first.
pub(super) async fn look(work: &AwsWork, queue: Queue, limit: usize) -> Result<Vec<DeadJob>, PortError> {
    let target = work.dead_target(queue)?;
    let (letters, taken) = take_up(work, target, limit.min(LOOK_LIMIT), |_| false).await;
    give_back(work, target, &letters).await;
    taken?;
    let mut dead: Vec<_> = letters.into_iter().map(|letter| letter.job).collect();
    dead.sort_by_key(|job| job.at);
    Ok(dead)
}

/// Sends the job with this id to its queue as if it had never run.
pub(super) async fn redrive(work: &AwsWork, queue: Queue, id: &str) -> Result<(), PortError> {
    let (jobs, target) = (work.target(queue.0)?, work.dead_target(queue)?);
    let letter = find(work, target, id).await?;
    let Letter { job: DeadJob { id, payload, .. }, receipt } = &letter;
    let body = Body { id: id.clone(), payload: payload.clone(), attempts: 0 };
    let sent = match Outgoing::new(&body, 0) {
        Ok(message) => batch::send(work, jobs, &[message]).await.into_result(),
        Err(error) => Err(error),
    };
    match sent {
        Ok(()) => work.delete(target, receipt).await,
        Err(error) => {
            give_back(work, target, &[letter]).await;
            Err(error)
        },
    }
}

/// Drops the job with this id.
pub(super) async fn discard(work: &AwsWork, queue: Queue, id: &str) -> Result<(), PortError> {
    let target = work.dead_target(queue)?;
    let letter = find(work, target, id).await?;
    work.delete(target, &letter.receipt).await
}

/// Takes the letter with this id up, and gives back what came with it.
async fn find(work: &AwsWork, target: Target<'_>, id: &str) -> Result<Letter, PortError> {
    let (mut letters, taken) = take_up(work, target, LOOK_LIMIT, |job| job.id == id).await;
    let place = letters.iter().position(|letter| letter.job.id == id);
    let found = place.map(|place| letters.swap_remove(place));
    let looked_at = letters.len();
    give_back(work, target, &letters).await;
    if let Some(letter) = found {
        return Ok(letter);
    }
    taken?;
    Err(match looked_at < LOOK_LIMIT {
        true => PortError::NotFound(format!("no dead letter {id} in {target}")),
        false => PortError::Unavailable(format!(
            "{target} has more than {LOOK_LIMIT} dead letters, and {id} is not among the first"
        )),
    })
}

/// Takes letters up: at most `limit`, and none behind one that is wanted. Those that were taken before a failure come
/// with it, so that they can be given back.
async fn take_up(
    work: &AwsWork,
    target: Target<'_>,
    limit: usize,
    is_wanted: impl Fn(&DeadJob) -> bool,
) -> (Vec<Letter>, Result<(), PortError>) {
    let (mut letters, mut seen) = (Vec::<Letter>::new(), HashSet::new());
    while letters.len() < limit {
        let messages = match work.receive(target, limit - letters.len(), HIDDEN_S, WAIT_S).await {
            Ok(messages) => messages,
            Err(error) => return (letters, Err(error)),
        };
        let known = letters.len();
        for message in messages {
            let job = body::dead_job(&message);
            // One that comes a second time was hidden too shortly: the look took too long, and is over.
            if seen.insert(message.message_id) {
                letters.push(Letter { job, receipt: message.receipt_handle.unwrap_or_default() });
            }
        }
        if letters.len() == known || letters[known..].iter().any(|letter| is_wanted(&letter.job)) {
            break;
        }
    }
    (letters, Ok(()))
}

/// Lets everybody see the letters again. What fails here mends itself when they are hidden no longer.
async fn give_back(work: &AwsWork, target: Target<'_>, letters: &[Letter]) {
    for letters in letters.chunks(BATCH_LIMIT) {
        let entry = |(place, letter): (usize, &Letter)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(place.to_string())
                .receipt_handle(&letter.receipt)
                .visibility_timeout(0)
                .build()
                .expect("id and receipt are set")
        };
        let entries = letters.iter().enumerate().map(entry).collect();
        let call = work.sqs.change_message_visibility_batch().queue_url(target.url);
        let _ = call.set_entries(Some(entries)).send().await;
    }
}
