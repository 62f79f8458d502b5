//! The journal: one item a commit, and claims in the same transaction.

mod append;
mod claims;
pub(crate) mod commit;
mod heads;
pub(crate) mod scan;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use waxwing_app::ports::{
    Appended, Claim, ClaimKey, Clock, Commit, Entropy, EntropyExt as _, Journal, PortError, StreamName,
};
use waxwing_domain::AccountId;

use self::{
    append::{Append, Ended},
    claims::ClaimWrites,
    commit::{AT_VERSION, PARTITION},
    heads::Heads,
};
use crate::{
    failure::port_error,
    item::{Item, Reader, check_size, number, text},
};

/// The journal in two tables.
pub(crate) struct DynamoJournal {
    dynamo: Client,
    journal_table: String,
    claims_table: String,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    heads: Heads,
}

impl DynamoJournal {
    pub(crate) fn new(
        dynamo: Client,
        (journal_table, claims_table): (String, String),
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { dynamo, journal_table, claims_table, clock, entropy, heads: Heads::default() }
    }

    /// The table of commits as error texts name it.
    fn journal(&self) -> String {
        format!("table {}", self.journal_table)
    }

    /// One commit's item, or its key only. Strongly consistent.
    async fn commit_item(
        &self,
        partition: &str,
        version: u64,
        key_only: bool,
    ) -> Result<Option<Item>, PortError> {
        let get = self
            .dynamo
            .get_item()
            .table_name(&self.journal_table)
            .key(PARTITION, text(partition))
            .key(AT_VERSION, number(version))
            .consistent_read(true)
            .set_projection_expression(key_only.then(|| AT_VERSION.to_owned()));
        let got = get.send().await.map_err(|error| port_error(&self.journal(), &error))?;
        Ok(got.item)
    }

    /// Commits never vanish, so what once was there is there.
    async fn exists(&self, partition: &str, version: u64) -> Result<bool, PortError> {
        if self.heads.reaches(partition, version) {
            return Ok(true);
        }
        Ok(self.commit_item(partition, version, true).await?.is_some())
    }

    /// The claim's value, unless it is free.
    async fn holder(&self, key: &ClaimKey) -> Result<Option<Vec<u8>>, PortError> {
        let get = self
            .dynamo
            .get_item()
            .table_name(&self.claims_table)
            .key(claims::KEY, text(&key.0))
            .consistent_read(true);
        let got = get.send().await;
        let got = got.map_err(|error| port_error(&format!("table {}", self.claims_table), &error))?;
        let Some(item) = got.item else { return Ok(None) };
        let claim = Reader { what: &key.0, item: &item };
        if claim.is_over(self.clock.now())? {
            return Ok(None);
        }
        claim.bytes(claims::VALUE).map(|value| Some(value.to_vec()))
    }
}

#[async_trait]
impl Journal for DynamoJournal {
    async fn append(&self, commit: Commit, claims: Vec<Claim>) -> Result<Appended, PortError> {
        let partition = commit::partition(commit.account, &commit.stream);
        let Some(head) = commit.version.checked_sub(1) else { return Ok(Appended::HeadMoved) };
        if head > 0 && !self.exists(&partition, head).await? {
            return Ok(Appended::HeadMoved);
        }
        let write_id = self.entropy.bytes();
        let item = commit::write(&partition, &commit, write_id)?;
        check_size("the commit", &item)?;
        let append = Append { journal: self, partition, version: commit.version, write_id };
        let claims = ClaimWrites::new(&claims)?;
        let ended = match claims.is_empty() {
            true => append.put(item).await?,
            false => append.transact(item, &claims).await?,
        };
        Ok(match ended {
            Ended::Done => {
                self.heads.saw(append.partition, commit.version);
                Appended::Done(commit::order(&commit))
            },
            Ended::HeadMoved => Appended::HeadMoved,
            Ended::ClaimTaken { key, value } => Appended::ClaimTaken { key, value },
        })
    }

    async fn read(&self, account: AccountId, stream: &StreamName) -> Result<Vec<Commit>, PortError> {
        let partition = commit::partition(account, stream);
        let mut items = self
            .dynamo
            .query()
            .table_name(&self.journal_table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(partition.clone()))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut commits = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| port_error(&self.journal(), &error))?;
            commits.push(commit::read(account, stream, &item)?);
        }
        if let Some(last) = commits.last() {
            self.heads.saw(partition, last.version);
        }
        Ok(commits)
    }

    async fn claim(&self, key: &ClaimKey) -> Result<Option<Vec<u8>>, PortError> {
        self.holder(key).await
    }
}
