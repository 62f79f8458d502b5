//! Extractors: a handler cannot get at anything without passing them.

mod actor;
mod body;
mod id_path;
mod idempotency_key;
mod operator;
mod person;
mod query;
mod queue_path;
mod stranger;

use actor::anonymous_cause;
pub(crate) use actor::{
    Actor, AdminRead, AdminWrite, AnyScope, ApiKeysRead, ApiKeysWrite, AuditRead, MessagesRead, MessagesSend,
    MetricsRead, SandboxRead, SandboxWrite, SessionsRead, SessionsWrite, WebhooksRead, WebhooksWrite,
};
pub(crate) use body::Body;
pub(crate) use id_path::{IdPath, PhonePath};
pub(crate) use idempotency_key::IdempotencyKey;
pub(crate) use operator::Operator;
pub(crate) use person::Person;
pub(crate) use query::{PageQuery, ValidQuery, limit};
pub(crate) use queue_path::{DeadLetterPath, QueuePath};
pub(crate) use stranger::Stranger;
