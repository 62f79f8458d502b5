use std::sync::Arc;

use aws_config::SdkConfig;
use waxwing_app::ports::{
    Clock, Entropy, Erasure, FeedItem, Journal, KeyCustody, PortError, Records, SecretBox, StreamName,
};
use waxwing_domain::AccountId;

use crate::{
    connection::config_loader,
    journal::{
        DynamoJournal, commit,
        scan::{JournalScan, StreamPage},
    },
    records::DynamoRecords,
    secrets::KmsSecretBox,
    settings::AwsSettings,
};

/// The ports on AWS.
pub struct AwsEngine {
    journal: Arc<DynamoJournal>,
    records: Arc<DynamoRecords>,
    secrets: Arc<KmsSecretBox>,
}

impl AwsEngine {
    /// Connects with what the environment says. [`PortError::Unavailable`] names what cannot be reached or used.
    pub async fn connect(
        settings: AwsSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, PortError> {
        Self::connect_with(&config_loader().load().await, settings, clock, entropy).await
    }

    /// [`AwsEngine::connect`] with a configuration that was begun by [`config_loader`].
    pub async fn connect_with(
        config: &SdkConfig,
        settings: AwsSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, PortError> {
        let AwsSettings { journal_table, claims_table, records_table, kms_key_id, hash_key_secret_id } =
            settings;
        let dynamo = aws_sdk_dynamodb::Client::new(config);
        let journal = DynamoJournal::new(
            dynamo.clone(),
            (journal_table, claims_table),
            Arc::clone(&clock),
            Arc::clone(&entropy),
        );
        let records = Arc::new(DynamoRecords {
            dynamo,
            table: records_table,
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        });
        let secrets = KmsSecretBox::load(
            (aws_sdk_kms::Client::new(config), kms_key_id),
            (aws_sdk_secretsmanager::Client::new(config), &hash_key_secret_id),
            Arc::clone(&records),
            clock,
            entropy,
        );
        Ok(Self { journal: Arc::new(journal), secrets: Arc::new(secrets.await?), records })
    }

    /// The journal.
    pub fn journal(&self) -> Arc<dyn Journal> {
        Arc::clone(&self.journal) as Arc<dyn Journal>
    }

    /// Read models and state.
    pub fn records(&self) -> Arc<dyn Records> {
        Arc::clone(&self.records) as Arc<dyn Records>
    }

    /// Envelope encryption under the KMS key.
    pub fn secrets(&self) -> Arc<dyn SecretBox> {
        Arc::clone(&self.secrets) as Arc<dyn SecretBox>
    }

    /// The next page of streams of one part of the journal, behind `after`, which an earlier page of the same scan gave. It
    /// reads the table once through, for operators: nothing that serves a request may call it. What was committed within the
    /// last second may be missing.
    pub async fn scan_journal(
        &self,
        scan: &JournalScan,
        after: Option<&str>,
    ) -> Result<StreamPage, PortError> {
        self.journal.scan(scan, after).await
    }

    /// The whole stream as the feed brought it, strongly consistent.
    pub async fn feed_of(&self, account: AccountId, stream: &StreamName) -> Result<Vec<FeedItem>, PortError> {
        let commits = self.journal.read(account, stream).await?;
        Ok(commits.into_iter().map(commit::feed_item).collect())
    }

    /// The data keys themselves.
    pub fn keys(&self) -> Arc<dyn KeyCustody> {
        Arc::clone(&self.secrets) as Arc<dyn KeyCustody>
    }

    /// All rows of an account.
    pub fn erasure(&self) -> Arc<dyn Erasure> {
        Arc::clone(&self.records) as Arc<dyn Erasure>
    }
}
