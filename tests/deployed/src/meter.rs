//! Counts calls of AWS and the capacity units that DynamoDB would bill for them.
//!
//! Source of the rules: "DynamoDB read and write operations" and "Item sizes and formats" in the DynamoDB developer guide.

use std::collections::{BTreeMap, HashMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

/// Bytes of a write unit.
const WRITE_UNIT: u64 = 1_024;
/// Bytes of a read unit, read strongly consistently.
const READ_UNIT: u64 = 4_096;
/// Names of the attributes that make up the indexes of the table of records.
const INDEXES: [(&str, &str); 3] = [("i1p", "i1s"), ("i2p", "i2s"), ("i3p", "i3s")];

/// What was called, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `dynamodb`, `sqs`, `kms`, `secretsmanager`.
    pub service: String,
    /// Such as `PutItem`.
    pub operation: String,
    /// What it was about: a table with the kind of its row, or a queue.
    pub subject: String,
    /// How often.
    pub calls: u64,
    /// Write units in all.
    pub write_units: f64,
    /// Read units in all.
    pub read_units: f64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    calls: u64,
    write_units: f64,
    read_units: f64,
}

/// An item as far as its costs go.
#[derive(Debug, Default, Clone, PartialEq)]
struct Known {
    bytes: u64,
    indexes: [Option<(String, String)>; 3],
}

/// What has to be known of an item to say what a write of it costs.
type Items = HashMap<(String, String), Known>;

/// See the module.
#[derive(Default)]
pub struct Meter {
    items: Items,
    sums: BTreeMap<(String, String, String), Sum>,
}

impl Meter {
    /// What was counted since the last time.
    pub fn take(&mut self) -> Vec<Call> {
        let sums = std::mem::take(&mut self.sums);
        let call = |((service, operation, subject), sum): ((String, String, String), Sum)| {
            let Sum { calls, write_units, read_units } = sum;
            Call { service, operation, subject, calls, write_units, read_units }
        };
        sums.into_iter().map(call).collect()
    }

    /// Counts one call with its answer.
    pub fn observe(
        &mut self,
        service: &str,
        operation: &str,
        request: &Value,
        is_done: bool,
        answer: &Value,
    ) {
        match (service, operation) {
            ("dynamodb", "TransactWriteItems") => self.transaction(request, is_done),
            ("dynamodb", "BatchGetItem") => self.batch_get(request, answer),
            ("dynamodb", _) => self.dynamodb(operation, request, is_done, answer),
            ("sqs", _) => {
                let url = request["QueueUrl"].as_str().unwrap_or_default();
                let queue = url.rsplit('/').next().unwrap_or_default();
                let queue = role(queue, &["WebhooksDead", "ReceiptsDead", "Webhooks", "Receipts"]);
                self.add("sqs", operation, queue, Sum::default());
            },
            _ => self.add(service, operation, "", Sum::default()),
        }
    }

    fn add(&mut self, service: &str, operation: &str, subject: &str, cost: Sum) {
        let key = (service.to_owned(), operation.to_owned(), subject.to_owned());
        let sum = self.sums.entry(key).or_default();
        sum.calls += 1;
        sum.write_units += cost.write_units;
        sum.read_units += cost.read_units;
    }

    fn dynamodb(&mut self, operation: &str, request: &Value, is_done: bool, answer: &Value) {
        let table = request["TableName"].as_str().unwrap_or_default();
        let cost = match operation {
            "PutItem" => write(self.put(table, &request["Item"], is_done)),
            "DeleteItem" => write(self.delete(table, &request["Key"], is_done)),
            "GetItem" => {
                let bytes = self
                    .known(table, &request["Key"])
                    .map_or_else(|| size(&answer["Item"]), |item| item.bytes);
                read(bytes, request["ConsistentRead"] == true)
            },
            "Query" | "Scan" => {
                let items = answer["Items"].as_array().map(Vec::as_slice).unwrap_or_default();
                let is_index = request["IndexName"].is_string();
                let bytes = |item: &Value| match self.known(table, item) {
                    Some(known) if !is_index => known.bytes,
                    _ => size(item),
                };
                read(items.iter().map(bytes).sum(), request["ConsistentRead"] == true)
            },
            _ => Sum::default(),
        };
        let subject = subject(table, request);
        self.add("dynamodb", operation, &subject, cost);
    }

    fn transaction(&mut self, request: &Value, is_done: bool) {
        let (mut cost, mut subjects) = (Sum::default(), Vec::new());
        for item in request["TransactItems"].as_array().into_iter().flatten() {
            for (action, action_of) in item.as_object().into_iter().flatten() {
                let table = action_of["TableName"].as_str().unwrap_or_default();
                let (rows, indexes) = match action.as_str() {
                    "Put" => self.put(table, &action_of["Item"], is_done),
                    "Delete" => self.delete(table, &action_of["Key"], is_done),
                    _ => {
                        let bytes = self.known(table, &action_of["Key"]).map_or(0, |item| item.bytes);
                        (units(bytes, WRITE_UNIT), 0.0)
                    },
                };
                cost.write_units += 2.0 * rows + indexes;
                subjects.push(subject(table, action_of));
            }
        }
        subjects.sort();
        subjects.dedup();
        self.add("dynamodb", "TransactWriteItems", &subjects.join(" + "), cost);
    }

    /// Each row is rounded up by itself.
    fn batch_get(&mut self, request: &Value, answer: &Value) {
        for (table, asked) in request["RequestItems"].as_object().into_iter().flatten() {
            let mut cost = Sum::default();
            for key in asked["Keys"].as_array().into_iter().flatten() {
                let bytes = self.known(table, key).map_or(0, |item| item.bytes);
                cost.read_units += read(bytes, asked["ConsistentRead"] == true).read_units;
            }
            let first = &answer["Responses"][table][0];
            let subject = subject(table, &serde_json::json!({ "Key": first }));
            self.add("dynamodb", "BatchGetItem", &subject, cost);
        }
    }

    fn known(&self, table: &str, key: &Value) -> Option<&Known> {
        self.items.get(&(table.to_owned(), key_text(key)))
    }

    /// Units of the row, and of its places in indexes.
    fn put(&mut self, table: &str, item: &Value, is_done: bool) -> (f64, f64) {
        let text = |name: &str| item[name]["S"].as_str().map(str::to_owned);
        let known = Known { bytes: size(item), indexes: INDEXES.map(|(p, s)| text(p).zip(text(s))) };
        let key = (table.to_owned(), key_text(item));
        let before = self.items.get(&key).cloned().unwrap_or_default();
        let rows = units(known.bytes.max(before.bytes), WRITE_UNIT);
        if !is_done {
            return (rows, 0.0);
        }
        let pairs = before.indexes.iter().zip(&known.indexes);
        // The indexes hold keys only: what stands where it stood is not written.
        let moved = |(before, after): (&Option<_>, &Option<_>)| match before == after {
            true => 0.0,
            false => f64::from(u8::from(before.is_some()) + u8::from(after.is_some())),
        };
        let indexes = pairs.map(moved).sum();
        self.items.insert(key, known);
        (rows, indexes)
    }

    fn delete(&mut self, table: &str, key: &Value, is_done: bool) -> (f64, f64) {
        let key = (table.to_owned(), key_text(key));
        let before = match is_done {
            true => self.items.remove(&key),
            false => self.items.get(&key).cloned(),
        };
        let before = before.unwrap_or_default();
        let indexes = before.indexes.iter().flatten().count();
        #[expect(clippy::cast_precision_loss, reason = "there are three")]
        (units(before.bytes, WRITE_UNIT), if is_done { indexes as f64 } else { 0.0 })
    }
}

fn write((rows, indexes): (f64, f64)) -> Sum {
    Sum { write_units: rows + indexes, ..Sum::default() }
}

fn read(bytes: u64, is_strong: bool) -> Sum {
    let units = units(bytes, READ_UNIT);
    Sum { read_units: if is_strong { units } else { units / 2.0 }, ..Sum::default() }
}

/// At least one: also what is not there costs.
fn units(bytes: u64, unit: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "an item has 400 KB at most")]
    let units = bytes.div_ceil(unit).max(1) as f64;
    units
}

/// The key of an item, whatever else it has.
fn key_text(item: &Value) -> String {
    let part = |name: &str| {
        item[name].as_object().and_then(|value| value.values().next()?.as_str().map(str::to_owned))
    };
    ["pk", "sk", "v"]
        .into_iter()
        .take_while(|name| *name != "v" || item["sk"].is_null())
        .filter_map(part)
        .collect::<Vec<_>>()
        .join("\u{0}")
}

/// Size of an item as DynamoDB counts: names and texts in UTF-8, bytes as they are, a number by its digits.
fn size(item: &Value) -> u64 {
    let none = Map::new();
    let attributes = item.as_object().unwrap_or(&none);
    let bytes = |(name, value): (&String, &Value)| {
        let value = value.as_object().and_then(|value| value.iter().next());
        let value = match value {
            Some((kind, Value::String(text))) => match kind.as_str() {
                "B" => STANDARD.decode(text).map_or(text.len(), |bytes| bytes.len()),
                "N" => text.len().div_ceil(2) + 1,
                _ => text.len(),
            },
            _ => 1,
        };
        (name.len() + value) as u64
    };
    attributes.iter().map(bytes).sum()
}

/// The first of these words that the name has. CloudFormation makes the names of what has none of its own.
fn role<'a>(name: &'a str, words: &[&'a str]) -> &'a str {
    words.iter().find(|word| name.contains(**word)).copied().unwrap_or(name)
}

/// The table, and for records the kind of row: the first part of its key that is no id.
fn subject(table: &str, request: &Value) -> String {
    let table = role(table, &["Journal", "Claims", "Records"]).to_lowercase();
    let written = &request["Item"]["pk"]["S"];
    let named = &request["Key"]["pk"]["S"];
    let asked = request["ExpressionAttributeValues"].as_object();
    let asked = asked.and_then(|values| values.values().find_map(|value| value["S"].as_str()));
    let key = written.as_str().or(named.as_str()).or(asked).unwrap_or_default();
    let is_kind = |part: &&str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c == '_')
    };
    let kind = key.split('/').find(is_kind).unwrap_or_default();
    let row = request["Item"]["sk"]["S"].as_str().or(request["Key"]["sk"]["S"].as_str()).unwrap_or_default();
    match kind {
        "" => table,
        // Rows of one partition, of many kinds.
        "signal" => format!("{table}: signal/{}", row.split('/').next().unwrap_or_default()),
        kind => format!("{table}: {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(bytes: usize, place: Option<&str>) -> Value {
        let mut item = json!({ "pk": { "S": "acc_1/message/msg_1" }, "sk": { "S": "view" }, "val": { "S": "x".repeat(bytes) } });
        if let Some(place) = place {
            item["i1p"] = json!({ "S": "p" });
            item["i1s"] = json!({ "S": place });
        }
        item
    }

    fn put(meter: &mut Meter, item: Value) -> f64 {
        let request = json!({ "TableName": "RecordsTable", "Item": item });
        meter.observe("dynamodb", "PutItem", &request, true, &json!({}));
        meter.take()[0].write_units
    }

    #[test]
    fn writes_are_counted_by_kilobytes_and_indexes_where_something_moves() {
        let mut meter = Meter::default();
        assert_eq!(put(&mut meter, row(900, Some("a"))), 2.0);
        assert_eq!(put(&mut meter, row(900, Some("a"))), 1.0);
        assert_eq!(put(&mut meter, row(1_100, Some("b"))), 4.0);
        // The longer one of the old and the new counts.
        assert_eq!(put(&mut meter, row(10, None)), 3.0);
        let key = json!({ "pk": { "S": "acc_1/message/msg_1" }, "sk": { "S": "view" } });
        let item = json!({ "Put": { "TableName": "RecordsTable", "Item": row(10, None) } });
        let check = json!({ "ConditionCheck": { "TableName": "RecordsTable", "Key": key } });
        let request = json!({ "TransactItems": [item, check] });
        meter.observe("dynamodb", "TransactWriteItems", &request, true, &json!({}));
        let [call] = &meter.take()[..] else { panic!("one call") };
        assert_eq!((call.write_units, call.subject.as_str()), (4.0, "records: message"));
    }

    #[test]
    fn reads_are_counted_by_four_kilobytes_and_by_half_when_they_may_lag() {
        let mut meter = Meter::default();
        put(&mut meter, row(5_000, None));
        let key = json!({ "pk": { "S": "acc_1/message/msg_1" }, "sk": { "S": "view" } });
        for (is_strong, wanted) in [(true, 2.0), (false, 1.0)] {
            let request = json!({ "TableName": "RecordsTable", "Key": key, "ConsistentRead": is_strong });
            meter.observe("dynamodb", "GetItem", &request, true, &json!({}));
            assert_eq!(meter.take()[0].read_units, wanted);
        }
        let values = json!({ ":p": { "S": "acc_1/ses_1/outbox" } });
        let request = json!({ "TableName": "RecordsTable", "ExpressionAttributeValues": values });
        meter.observe("dynamodb", "Query", &request, true, &json!({ "Items": [] }));
        let [call] = &meter.take()[..] else { panic!("one call") };
        assert_eq!((call.read_units, call.subject.as_str()), (0.5, "records: outbox"));
    }
}
