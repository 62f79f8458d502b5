//! What a message says. Payloads name things by id and carry no content, so nothing else reaches SQS.

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use waxwing_app::ports::{DeadJob, Job, PortError};

use super::attribute;

/// Characters of a reason that are kept.
const REASON_LIMIT: usize = 1_000;
/// What is said of a message that SQS itself moved to the dead letters.
const NEVER_ENDED: &str = "it was leased too often, and no worker said what came of it";

/// A job in its queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Body {
    pub(super) id: String,
    pub(super) payload: String,
    /// Those before this message was sent.
    pub(super) attempts: u32,
}

impl Body {
    /// The job to run once more.
    pub(super) fn of(Job { id, payload, attempts, .. }: &Job) -> Self {
        Self { id: id.clone(), payload: payload.clone(), attempts: *attempts }
    }

    /// What a message says. One that says no job is a job with this payload.
    pub(super) fn read(message_id: &str, text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| Self {
            id: message_id.to_owned(),
            payload: text.to_owned(),
            attempts: 0,
        })
    }
}

/// A dead letter.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DeadBody {
    #[serde(flatten)]
    body: Body,
    reason: String,
    at: Timestamp,
}

impl DeadBody {
    pub(super) fn new(body: Body, reason: &str, at: Timestamp) -> Self {
        Self { body, reason: reason.chars().take(REASON_LIMIT).collect(), at }
    }
}

/// What a message among the dead letters says.
pub(super) fn dead_job(message: &Message) -> DeadJob {
    let text = message.body.as_deref().unwrap_or_default();
    let message_id = message.message_id.as_deref().unwrap_or_default();
    let (Body { id, payload, attempts }, reason, at) = match serde_json::from_str(text) {
        Ok(DeadBody { body, reason, at }) => (body, reason, at),
        Err(_) => {
            let sent_ms = attribute(message, &MessageSystemAttributeName::SentTimestamp).unwrap_or_default();
            let sent_at = Timestamp::from_millisecond(sent_ms).unwrap_or_default();
            (Body::read(message_id, text), NEVER_ENDED.to_owned(), sent_at)
        },
    };
    DeadJob { id, payload, attempts, reason, at }
}

/// The text of a message: JSON without the two characters that SQS does not take and JSON does.
pub(super) fn text(body: &impl Serialize) -> Result<String, PortError> {
    let text = serde_json::to_string(body).map_err(|error| PortError::Corrupt(error.to_string()))?;
    Ok(text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AwsWork;

    #[test]
    fn a_message_says_the_job_and_how_often_it_was_tried_before() {
        let body = Body { id: "dlv_1".to_owned(), payload: "{\"of\":\"ä\"}".to_owned(), attempts: 3 };
        assert_eq!(text(&body).unwrap(), r#"{"id":"dlv_1","payload":"{\"of\":\"ä\"}","attempts":3}"#);
        let job = AwsWork::job_of("message", "receipt", &text(&body).unwrap(), 2);
        assert_eq!((job.id, job.payload, job.attempts), (body.id, body.payload, 5));
        assert_eq!(job.lease, "lambda:receipt");
    }

    #[test]
    fn what_says_no_job_is_one_that_its_handler_cannot_read() {
        let job = AwsWork::job_of("message", "receipt", "hello", 1);
        assert_eq!((job.id.as_str(), job.payload.as_str(), job.attempts), ("message", "hello", 1));
    }

    #[test]
    fn a_text_has_no_character_that_sqs_refuses() {
        let body = Body { id: "\u{ffff}\u{fffe}\u{0}".to_owned(), payload: String::new(), attempts: 0 };
        let written = text(&body).unwrap();
        assert!(written.is_ascii() && written.chars().all(|character| character >= ' '), "{written}");
        assert_eq!(Body::read("", &written), body);
    }

    #[test]
    fn what_sqs_moved_to_the_dead_letters_says_so() {
        let text = text(&Body { id: "dlv_1".to_owned(), payload: "{}".to_owned(), attempts: 3 }).unwrap();
        let sent = (MessageSystemAttributeName::SentTimestamp, "1767225600000".to_owned());
        let message = Message::builder().body(text).set_attributes(Some([sent].into())).build();
        let job = dead_job(&message);
        assert_eq!((job.id.as_str(), job.attempts, job.reason.as_str()), ("dlv_1", 3, NEVER_ENDED));
        assert_eq!(job.at.to_string(), "2026-01-01T00:00:00Z");
    }
}
