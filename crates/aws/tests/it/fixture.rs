//! An engine with tables, a KMS key and a secret of its own.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    config::{Credentials, Region, SharedCredentialsProvider},
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
        ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType,
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use waxwing_app::ports::{Appended, Claim, ClaimKey, Clock as _, Commit, EntropyExt as _, Order, StreamName};
use waxwing_aws::{AwsEngine, AwsSettings};
use waxwing_conformance::{SeededEntropy, TestClock};
use waxwing_domain::AccountId;

use crate::{emulators::Dynamo, network::Network};

pub(crate) struct Fixture {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) network: Network,
    pub(crate) config: SdkConfig,
    pub(crate) settings: AwsSettings,
    pub(crate) engine: AwsEngine,
}

impl Fixture {
    pub(crate) async fn new(dynamo: Dynamo) -> Self {
        let network = Network::start(dynamo).await;
        let config = waxwing_aws::config_loader()
            .endpoint_url(&network.url)
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .load()
            .await;
        let settings = resources(&config).await;
        let clock = Arc::new(TestClock::default());
        let engine = connect(&config, &settings, &clock).await;
        network.calls();
        Self { clock, network, config, settings, engine }
    }

    /// Another process on the same tables.
    pub(crate) async fn another_engine(&self) -> AwsEngine {
        let engine = connect(&self.config, &self.settings, &self.clock).await;
        self.network.calls();
        engine
    }

    pub(crate) fn dynamo(&self) -> Client {
        Client::new(&self.config)
    }
}

async fn connect(config: &SdkConfig, settings: &AwsSettings, clock: &Arc<TestClock>) -> AwsEngine {
    AwsEngine::connect_with(config, settings.clone(), clock.clone(), entropy()).await.unwrap()
}

/// Every engine of a run draws other bytes: a repeated nonce would be a fault of the test.
pub(crate) fn entropy() -> Arc<SeededEntropy> {
    Arc::new(SeededEntropy::new(number() << 32))
}

fn number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::SeqCst) + 1
}

/// Names that no other fixture has. No time to live is declared: the emulators look at another clock than the tests.
async fn resources(config: &SdkConfig) -> AwsSettings {
    let number = number();
    let name = |kind: &str| format!("waxwing-test-{number}-{kind}");
    let (journal_table, claims_table, records_table) = (name("journal"), name("claims"), name("records"));
    let dynamo = Client::new(config);
    create_table(&dynamo, &journal_table, &["pk", "v"], 0).await;
    create_table(&dynamo, &claims_table, &["pk"], 0).await;
    create_table(&dynamo, &records_table, &["pk", "sk"], 3).await;
    let key = aws_sdk_kms::Client::new(config).create_key().send().await.unwrap();
    let hash_key_secret_id = name("hash-key");
    let hash_key: [u8; 32] = entropy().bytes();
    aws_sdk_secretsmanager::Client::new(config)
        .create_secret()
        .name(&hash_key_secret_id)
        .secret_string(BASE64_STANDARD.encode(hash_key))
        .send()
        .await
        .unwrap();
    let kms_key_id = key.key_metadata.unwrap().key_id;
    AwsSettings { journal_table, claims_table, records_table, kms_key_id, hash_key_secret_id }
}

fn schema(names: &[&str]) -> Vec<KeySchemaElement> {
    let kinds = [KeyType::Hash, KeyType::Range];
    let element = |(name, kind): (&&str, KeyType)| {
        KeySchemaElement::builder().attribute_name(*name).key_type(kind).build().unwrap()
    };
    names.iter().zip(kinds).map(element).collect()
}

fn attribute(name: &str) -> AttributeDefinition {
    let kind = if name == "v" { ScalarAttributeType::N } else { ScalarAttributeType::S };
    AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
}

async fn create_table(dynamo: &Client, table: &str, key: &[&str], indexes: u8) {
    let stream =
        StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewImage);
    let mut create = dynamo
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(schema(key)))
        .set_attribute_definitions(Some(key.iter().map(|name| attribute(name)).collect()))
        .set_stream_specification((key[key.len() - 1] == "v").then(|| stream.build().unwrap()));
    for index in 1..=indexes {
        let names = [format!("i{index}p"), format!("i{index}s")];
        let names = [names[0].as_str(), names[1].as_str()];
        let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(format!("index{index}"))
            .set_key_schema(Some(schema(&names)))
            .projection(keys_only);
        create = create.global_secondary_indexes(index.build().unwrap());
        create = names.iter().fold(create, |create, name| create.attribute_definitions(attribute(name)));
    }
    create.send().await.unwrap();
}

pub(crate) fn account() -> AccountId {
    AccountId::derived(1, &[b"aws"])
}

pub(crate) fn stream(id: &str) -> StreamName {
    StreamName::new("sample", id)
}

/// A commit of the test account.
pub(crate) fn commit(id: &str, version: u64, payload: impl Into<Vec<u8>>) -> Commit {
    Commit {
        account: account(),
        stream: stream(id),
        version,
        types: vec!["test.happened".to_owned()],
        actor: "system".to_owned(),
        request_id: None,
        trace_id: None,
        at: TestClock::default().now(),
        key_id: "dk1".to_owned(),
        payload: payload.into(),
    }
}

pub(crate) fn take(key: &str, value: &[u8]) -> Claim {
    Claim::Take { key: ClaimKey(key.to_owned()), value: value.to_vec(), expires_at: None }
}

/// The place of an append that has to succeed.
pub(crate) fn done(appended: Appended) -> Order {
    match appended {
        Appended::Done(order) => order,
        other => panic!("the append should have succeeded: {other:?}"),
    }
}
