//! The engine of the serverless shape: DynamoDB, SQS, SES, KMS and Secrets Manager.
//!
//! Three tables, declared with the functions that use them, and documented key by key in `docs/reference/dynamodb.md`:
//!
//! ```text
//! journal   pk account/stream, v version      one item a commit, never changed
//! claims    pk claim                          written in one transaction with its commit
//! records   pk partition, sk sort, 3 indexes  read models, state, wrapped data keys
//! ```
//!
//! An answer that is lost on its way is the normal case on a network: whatever is written under a condition carries
//! random bytes of its call, so that a call which finds its own write says so instead of "somebody else was faster".

mod connection;
mod deployment;
mod engine;
mod failure;
mod gateway;
mod item;
mod journal;
mod mailer;
mod pause;
mod records;
mod secret_key;
mod secrets;
mod settings;
mod stream;
mod work;

pub use connection::config_loader;
pub use deployment::{ClientMaker, Deployment, DeploymentError};
pub use engine::AwsEngine;
pub use journal::scan::{JournalScan, StreamFilter, StreamPage};
pub use settings::{AwsSettings, MissingSetting};
pub use stream::{StreamImage, StreamRecord};
pub use work::{AwsWork, QueueUrls};
