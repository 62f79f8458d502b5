//! Guarded writes.

use std::{
    collections::{BTreeMap, HashSet},
    error::Error,
};

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError, transact_write_items::TransactWriteItemsError,
    },
    types::{ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use waxwing_app::ports::{Consistency, EntropyExt as _, Guard, Key, PortError, Row, Write};

use super::{DynamoRecords, guard::Condition, row};
use crate::{
    failure::{CONDITION_FAILED, IN_THE_WAY, cancellation, may_have_happened, port_error, refused},
    item::{Item, WRITE_ID, WRITE_ID_LEN, bytes, is_written_by},
    pause::{TRIES, pause},
};

const PARTITIONS_AT_ONCE: usize = 16;
const TRANSACTION_CONFLICT: &str = "TransactionConflictException";

fn key_of(write: &Write) -> &Key {
    match write {
        Write::Put(row, _) => &row.key,
        Write::Delete(key, _) | Write::Check(key, _) => key,
    }
}

/// Applies each whose guard holds: in order inside a partition, several partitions at once.
pub(super) async fn each(records: &DynamoRecords, writes: &[Write]) -> Result<Vec<bool>, PortError> {
    let mut partitions: BTreeMap<&str, Vec<(usize, Single<'_>)>> = BTreeMap::new();
    for (place, write) in writes.iter().enumerate() {
        let single = Single::new(records, write)?;
        partitions.entry(&key_of(write).partition).or_default().push((place, single));
    }
    // Every partition to its end, also when another failed: what is under way when this returns could still happen later.
    let under_way: Vec<_> = partitions.into_values().map(in_order).collect();
    let ended: Vec<_> = stream::iter(under_way).buffer_unordered(PARTITIONS_AT_ONCE).collect().await;
    let mut applied = vec![false; writes.len()];
    for partition in ended {
        for (place, is_applied) in partition? {
            applied[place] = is_applied;
        }
    }
    Ok(applied)
}

/// Applies the writes of one partition up to the first error.
async fn in_order(writes: Vec<(usize, Single<'_>)>) -> Result<Vec<(usize, bool)>, PortError> {
    let mut applied = Vec::with_capacity(writes.len());
    for (place, single) in writes {
        applied.push((place, single.apply().await?));
    }
    Ok(applied)
}

/// What one try of a write came to.
enum Tried {
    Applied(bool),
    /// A transaction that passes by was in the way.
    InTheWay,
}

/// One write by itself.
enum Single<'a> {
    Put(SinglePut<'a>),
    Delete { records: &'a DynamoRecords, key: &'a Key, guard: Guard },
}

impl<'a> Single<'a> {
    /// Refuses what no state of the table could make right.
    fn new(records: &'a DynamoRecords, write: &'a Write) -> Result<Self, PortError> {
        match write {
            Write::Put(row, guard) => Ok(Self::Put(SinglePut::new(records, row, *guard)?)),
            Write::Delete(key, guard) => Ok(Self::Delete { records, key, guard: *guard }),
            Write::Check(..) => Err(refused("a check by itself changes nothing and guards nothing")),
        }
    }

    async fn apply(&self) -> Result<bool, PortError> {
        let (Self::Put(SinglePut { records, .. }) | Self::Delete { records, .. }) = self;
        for tries in 0..TRIES {
            let now = records.clock.now();
            let tried = match self {
                Self::Put(put) => put.attempt(now).await?,
                Self::Delete { key, guard, .. } => delete(records, key, *guard, now).await?,
            };
            match tried {
                Tried::Applied(is_applied) => return Ok(is_applied),
                Tried::InTheWay => pause(&*records.entropy, tries).await,
            }
        }
        Err(always_in_the_way(records))
    }
}

/// A put by itself.
struct SinglePut<'a> {
    records: &'a DynamoRecords,
    row: &'a Row,
    guard: Guard,
    item: Item,
    /// Stands in a guarded item, so that this put knows its own row after an answer that was lost.
    write_id: [u8; WRITE_ID_LEN],
}

impl<'a> SinglePut<'a> {
    fn new(records: &'a DynamoRecords, row: &'a Row, guard: Guard) -> Result<Self, PortError> {
        let write_id = records.entropy.bytes();
        let mut item = row::write(row)?;
        if guard != Guard::Always {
            item.insert(WRITE_ID.to_owned(), bytes(write_id));
        }
        Ok(Self { records, row, guard, item, write_id })
    }

    async fn attempt(&self, now: Timestamp) -> Result<Tried, PortError> {
        let condition = Condition::new(self.guard, Some(self.row.version), now);
        let put = self
            .records
            .dynamo
            .put_item()
            .table_name(&self.records.table)
            .set_item(Some(self.item.clone()))
            .set_condition_expression(condition.expression)
            .set_expression_attribute_values(condition.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else { return Ok(Tried::Applied(true)) };
        if let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            return Ok(Tried::Applied(match failed.item() {
                Some(there) => is_written_by(there, &self.write_id),
                None => self.stands_there().await?,
            }));
        }
        if may_have_happened(&error) && matches!(self.stands_there().await, Ok(true)) {
            return Ok(Tried::Applied(true));
        }
        in_the_way(self.records, &error)
    }

    async fn stands_there(&self) -> Result<bool, PortError> {
        let there = self.records.item(&self.row.key, Consistency::Strong).await?;
        Ok(there.is_some_and(|there| is_written_by(&there, &self.write_id)))
    }
}

async fn delete(
    records: &DynamoRecords,
    key: &Key,
    guard: Guard,
    now: Timestamp,
) -> Result<Tried, PortError> {
    let condition = Condition::new(guard, None, now);
    let delete = records
        .dynamo
        .delete_item()
        .table_name(&records.table)
        .set_key(Some(row::key(key)))
        .set_condition_expression(condition.expression)
        .set_expression_attribute_values(condition.values);
    let Err(error) = delete.send().await else { return Ok(Tried::Applied(true)) };
    match error.as_service_error() {
        Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(Tried::Applied(false)),
        _ => in_the_way(records, &error),
    }
}

fn in_the_way<E>(records: &DynamoRecords, error: &SdkError<E, HttpResponse>) -> Result<Tried, PortError>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error.code() == Some(TRANSACTION_CONFLICT) {
        true => Ok(Tried::InTheWay),
        false => Err(port_error(&records.target(), error)),
    }
}

fn always_in_the_way(records: &DynamoRecords) -> PortError {
    PortError::Throttled(format!("{}: others were in the way {TRIES} times", records.target()))
}

/// Applies all when every guard holds. A repetition by the client library carries the same token, so it finds the first
/// one's answer.
pub(super) async fn all(records: &DynamoRecords, writes: &[Write]) -> Result<(), PortError> {
    let mut keys = HashSet::with_capacity(writes.len());
    if !writes.iter().all(|write| keys.insert(key_of(write))) {
        // All guards look at the state before the transaction: two for one row would contradict each other.
        return Err(refused("one row stands twice in a transaction"));
    }
    for tries in 0..TRIES {
        let now = records.clock.now();
        let items: Vec<TransactWriteItem> = writes
            .iter()
            .filter_map(|write| transact_item(records, write, now).transpose())
            .collect::<Result<_, _>>()?;
        if items.is_empty() {
            return Ok(());
        }
        let sent = records.dynamo.transact_write_items().set_transact_items(Some(items)).send().await;
        let Err(error) = sent else { return Ok(()) };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
        else {
            return Err(port_error(&records.target(), &error));
        };
        let reasons = cancelled.cancellation_reasons();
        let is_code = |code| reasons.iter().any(|reason| reason.code() == Some(code));
        if is_code(CONDITION_FAILED) {
            return Err(PortError::Conflict(format!("{}: a guard does not hold", records.target())));
        }
        if !IN_THE_WAY.iter().any(|code| is_code(code)) {
            let fault = reasons.iter().find(|reason| reason.code().is_some_and(|code| code != "None"));
            let (code, message) = fault.map_or((None, None), |fault| (fault.code(), fault.message()));
            return Err(cancellation(
                &records.target(),
                code.unwrap_or("cancelled without a reason"),
                message,
            ));
        }
        pause(&*records.entropy, tries).await;
    }
    Err(always_in_the_way(records))
}

/// `None` for a check that always holds.
fn transact_item(
    records: &DynamoRecords,
    write: &Write,
    now: Timestamp,
) -> Result<Option<TransactWriteItem>, PortError> {
    let item = TransactWriteItem::builder();
    let table = &records.table;
    let condition = |guard: Guard, version| Condition::new(guard, version, now);
    Ok(Some(
        match write {
            Write::Put(row, guard) => {
                let Condition { expression, values } = condition(*guard, Some(row.version));
                let put = Put::builder()
                    .table_name(table)
                    .set_item(Some(row::write(row)?))
                    .set_condition_expression(expression)
                    .set_expression_attribute_values(values);
                item.put(put.build().expect("table and item are set"))
            },
            Write::Delete(key, guard) => {
                let Condition { expression, values } = condition(*guard, None);
                let delete = Delete::builder()
                    .table_name(table)
                    .set_key(Some(row::key(key)))
                    .set_condition_expression(expression)
                    .set_expression_attribute_values(values);
                item.delete(delete.build().expect("table and key are set"))
            },
            Write::Check(_, Guard::Always) => return Ok(None),
            Write::Check(key, guard) => {
                let Condition { expression, values } = condition(*guard, None);
                let check = ConditionCheck::builder()
                    .table_name(table)
                    .set_key(Some(row::key(key)))
                    .set_condition_expression(expression)
                    .set_expression_attribute_values(values);
                item.condition_check(check.build().expect("table, key and condition are set"))
            },
        }
        .build(),
    ))
}
