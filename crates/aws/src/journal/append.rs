//! One append: what is sent, and what the answers mean.

use std::error::Error;

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};
use waxwing_app::ports::{ClaimKey, PortError};

use super::{DynamoJournal, claims::ClaimWrites};
use crate::{
    failure::{CONDITION_FAILED, IN_THE_WAY, cancellation, may_have_happened, port_error},
    item::{Item, WRITE_ID_LEN, is_written_by},
    pause::{TRIES, pause},
};

const IS_FIRST: &str = "attribute_not_exists(pk)";
const WITHOUT_FAULT: &str = "None";

/// How an append ended.
pub(super) enum Ended {
    Done,
    HeadMoved,
    ClaimTaken { key: ClaimKey, value: Vec<u8> },
}

/// What a cancelled transaction means.
enum Cancelled {
    Ended(Ended),
    /// Something passed by that was in the way.
    TryAgain,
}

/// The append of one commit.
pub(super) struct Append<'a> {
    pub(super) journal: &'a DynamoJournal,
    pub(super) partition: String,
    pub(super) version: u64,
    /// Stands in the item, so that this append knows its own commit after an answer that was lost.
    pub(super) write_id: [u8; WRITE_ID_LEN],
}

impl Append<'_> {
    /// The commit alone.
    pub(super) async fn put(&self, item: Item) -> Result<Ended, PortError> {
        for tries in 0..TRIES {
            let put = self
                .journal
                .dynamo
                .put_item()
                .table_name(&self.journal.journal_table)
                .set_item(Some(item.clone()))
                .condition_expression(IS_FIRST)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            let Err(error) = put.send().await else { return Ok(Ended::Done) };
            match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    return self.found(failed.item()).await;
                },
                Some(PutItemError::TransactionConflictException(_)) => {
                    pause(&*self.journal.entropy, tries).await;
                },
                _ => return self.after_failure(&self.journal.journal(), &error).await,
            }
        }
        Err(self.always_in_the_way())
    }

    /// The commit with its claims: all of it or nothing. A repetition by the client library carries the same token, so it
    /// finds the first one's answer.
    pub(super) async fn transact(&self, item: Item, claims: &ClaimWrites<'_>) -> Result<Ended, PortError> {
        let commit = Put::builder()
            .table_name(&self.journal.journal_table)
            .set_item(Some(item))
            .condition_expression(IS_FIRST)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("table and item are set");
        for tries in 0..TRIES {
            let now = self.journal.clock.now();
            let transaction = self
                .journal
                .dynamo
                .transact_write_items()
                .transact_items(TransactWriteItem::builder().put(commit.clone()).build());
            let transaction = claims
                .items(&self.journal.claims_table, now)
                .into_iter()
                .fold(transaction, |transaction, claim| transaction.transact_items(claim));
            let Err(error) = transaction.send().await else { return Ok(Ended::Done) };
            match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    match self.cancelled(cancelled.cancellation_reasons(), claims).await? {
                        Cancelled::Ended(ended) => return Ok(ended),
                        Cancelled::TryAgain => pause(&*self.journal.entropy, tries).await,
                    }
                },
                Some(TransactWriteItemsError::TransactionInProgressException(_)) => {
                    pause(&*self.journal.entropy, tries).await;
                },
                // It does not say which of the two it means.
                _ => {
                    let tables = format!("{} or table {}", self.journal.journal(), self.journal.claims_table);
                    return self.after_failure(&tables, &error).await;
                },
            }
        }
        Err(self.always_in_the_way())
    }

    /// There is one reason for each write: the commit, then the claims.
    async fn cancelled(
        &self,
        reasons: &[CancellationReason],
        claims: &ClaimWrites<'_>,
    ) -> Result<Cancelled, PortError> {
        fn code(reason: &CancellationReason) -> &str {
            reason.code().unwrap_or(WITHOUT_FAULT)
        }
        let Some((commit, rest)) = reasons.split_first() else {
            return Err(PortError::Unavailable(format!(
                "{}: cancelled without a reason",
                self.journal.journal()
            )));
        };
        if code(commit) == CONDITION_FAILED {
            return self.found(commit.item()).await.map(Cancelled::Ended);
        }
        let is_fault = |reason: &&CancellationReason| {
            let code = code(reason);
            code != WITHOUT_FAULT && code != CONDITION_FAILED && !IN_THE_WAY.contains(&code)
        };
        if let Some(reason) = reasons.iter().find(is_fault) {
            return Err(cancellation(&self.journal.journal(), code(reason), reason.message()));
        }
        // What is in the commit's way may be the commit that moves the head, and that counts more than a claim.
        if code(commit) != WITHOUT_FAULT {
            return Ok(Cancelled::TryAgain);
        }
        let taken = rest.iter().position(|reason| code(reason) == CONDITION_FAILED);
        let Some(key) = taken.and_then(|place| claims.key(place)) else { return Ok(Cancelled::TryAgain) };
        // Read rather than taken from the reason: the holder's time may just have ended.
        Ok(match self.journal.holder(key).await? {
            Some(value) => Cancelled::Ended(Ended::ClaimTaken { key: key.clone(), value }),
            None => Cancelled::TryAgain,
        })
    }

    /// Something stands where the commit should go: this append's own commit, whose answer was lost, or another's.
    async fn found(&self, told: Option<&Item>) -> Result<Ended, PortError> {
        let read;
        let there = match told {
            Some(told) => Some(told),
            None => {
                read = self.journal.commit_item(&self.partition, self.version, false).await?;
                read.as_ref()
            },
        };
        Ok(match there.is_some_and(|there| is_written_by(there, &self.write_id)) {
            true => Ended::Done,
            false => Ended::HeadMoved,
        })
    }

    /// The call failed, and may have taken effect all the same.
    async fn after_failure<E>(
        &self,
        target: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> Result<Ended, PortError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if may_have_happened(error)
            && let Ok(Some(there)) = self.journal.commit_item(&self.partition, self.version, false).await
        {
            return self.found(Some(&there)).await;
        }
        Err(port_error(target, error))
    }

    fn always_in_the_way(&self) -> PortError {
        PortError::Throttled(format!("{}: others were in the way {TRIES} times", self.journal.journal()))
    }
}
