//! What a DynamoDB stream says of the journal: its records, as a function is called with them.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};
use waxwing_app::ports::{FeedItem, PortError};

use crate::{
    item::{Item, Reader},
    journal::commit,
};

/// One record of the journal table's stream.
/// Source: "Working with streams" in the DynamoDB guide, as AWS Lambda passes it on.
#[derive(Debug, Clone, Deserialize)]
pub struct StreamRecord {
    /// `INSERT` for a commit; nothing else happens to the journal.
    #[serde(rename = "eventName", default)]
    pub event_name: String,
    /// What was written.
    pub dynamodb: StreamImage,
}

/// What was written.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamImage {
    /// The record's place in its shard: what names it in an answer about failures.
    #[serde(default)]
    pub sequence_number: String,
    #[serde(default)]
    new_image: Map<String, Value>,
}

impl StreamRecord {
    /// The commit that was written; `None` for what is no insertion. [`PortError::Corrupt`] when it cannot be read.
    pub fn feed_item(&self) -> Result<Option<FeedItem>, PortError> {
        if self.event_name != "INSERT" {
            return Ok(None);
        }
        let unreadable = |what: &str| PortError::Corrupt(format!("record of the journal's stream: {what}"));
        let image = &self.dynamodb.new_image;
        let attributes = image.iter().map(|(name, value)| Some((name.clone(), attribute(value)?)));
        let item: Item = attributes.collect::<Option<_>>().ok_or_else(|| unreadable("an attribute"))?;
        let partition = Reader { what: "record of the journal's stream", item: &item }.text("pk")?;
        let (account, stream) = commit::read_partition(&partition).ok_or_else(|| unreadable("its key"))?;
        Ok(Some(commit::feed_item(commit::read(account, &stream, &item)?)))
    }
}

/// A value as it stands in JSON: `{"S": "…"}`, `{"N": "…"}`, `{"B": "base64"}`. The journal has no others.
fn attribute(value: &Value) -> Option<AttributeValue> {
    let (kind, value) = value.as_object()?.iter().next()?;
    let text = value.as_str()?;
    match kind.as_str() {
        "S" => Some(AttributeValue::S(text.to_owned())),
        "N" => Some(AttributeValue::N(text.to_owned())),
        "B" => STANDARD.decode(text).ok().map(|bytes| AttributeValue::B(Blob::new(bytes))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;
    use waxwing_app::ports::{Commit, StreamName};
    use waxwing_domain::AccountId;

    use super::*;

    fn record(image: &Item) -> StreamRecord {
        let value = |value: &AttributeValue| match value {
            AttributeValue::S(text) => json!({ "S": text }),
            AttributeValue::N(number) => json!({ "N": number }),
            AttributeValue::B(bytes) => json!({ "B": STANDARD.encode(bytes) }),
            other => panic!("{other:?} stands in no commit"),
        };
        let image: Map<String, Value> =
            image.iter().map(|(name, attribute)| (name.clone(), value(attribute))).collect();
        serde_json::from_value(json!({
            "eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb",
            "dynamodb": { "SequenceNumber": "100", "NewImage": image, "StreamViewType": "NEW_IMAGE" },
        }))
        .unwrap()
    }

    fn sample() -> (Commit, Item) {
        let commit = Commit {
            account: AccountId::from_parts((1, [1; 10])),
            stream: StreamName::new("message", "msg_1"),
            version: 3,
            types: vec!["message.sent".to_owned(), "message.receipt_recorded".to_owned()],
            actor: "system".to_owned(),
            request_id: None,
            trace_id: Some("1-2-3".to_owned()),
            at: Timestamp::from_millisecond(1_800_000_000_123).unwrap(),
            key_id: "1".to_owned(),
            payload: vec![0, 1, 254, 255],
        };
        let partition = commit::partition(commit.account, &commit.stream);
        let item = commit::write(&partition, &commit, [7; 8]).unwrap();
        (commit, item)
    }

    #[test]
    fn a_commit_reads_back_from_its_record() {
        let (commit, item) = sample();
        let read = record(&item).feed_item().unwrap().unwrap();
        assert_eq!(read.commit, commit);
        assert_eq!(read.order, commit::order(&commit));
    }

    #[test]
    fn what_is_no_insertion_is_nobodys_business() {
        let (_, item) = sample();
        let removed = StreamRecord { event_name: "REMOVE".to_owned(), ..record(&item) };
        assert!(removed.feed_item().unwrap().is_none());
    }

    #[test]
    fn a_damaged_record_says_so() {
        let (_, mut item) = sample();
        item.remove("v");
        assert!(matches!(record(&item).feed_item(), Err(PortError::Corrupt(_))));
    }
}
