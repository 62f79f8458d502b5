//! Extractors: a handler cannot get at anything without passing them.

mod actor;
mod body;
mod feature_path;
mod id_path;
mod idempotency_key;
mod operator;
mod person;
mod query;
mod queue_path;
mod stranger;

use actor::anonymous_cause;
pub(crate) use actor::{
    AccountRead, AccountWrite, Actor, AdminRead, AdminWrite, AnyScope, ApiKeysRead, ApiKeysWrite, AuditRead,
    MembersRead, MembersWrite, MessagesRead, MessagesSend, MetricsRead, SandboxRead, SandboxWrite, Scope,
    SessionsRead, SessionsWrite, WebhooksRead, WebhooksWrite,
};
pub(crate) use body::{BODY_BYTES_MAX, Body, read_value};
pub(crate) use feature_path::{AccountFeaturePath, FeaturePath};
pub(crate) use id_path::{IdPath, PhonePath};
pub(crate) use idempotency_key::{IdempotencyKey, LEN_MAX as IDEMPOTENCY_KEY_LEN_MAX};
pub(crate) use operator::Operator;
pub(crate) use person::Person;
pub(crate) use query::{LIMIT_MAX, PageQuery, ValidQuery, limit};
pub(crate) use queue_path::{DeadLetterPath, QueuePath};
pub(crate) use stranger::Stranger;
