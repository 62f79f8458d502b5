//! Extractors: a handler cannot get at anything without passing them.

mod actor;
mod body;
mod id_path;
mod idempotency_key;
mod person;
mod query;
mod stranger;

use actor::anonymous_cause;
pub(crate) use actor::{
    Actor, AdminRead, AnyScope, ApiKeysRead, ApiKeysWrite, MessagesRead, MessagesSend, MetricsRead,
    SandboxRead, SandboxWrite, SessionsRead, SessionsWrite, WebhooksRead, WebhooksWrite,
};
pub(crate) use body::{BODY_BYTES_MAX, Body};
pub(crate) use id_path::{IdPath, PhonePath};
pub(crate) use idempotency_key::{IdempotencyKey, LEN_MAX as IDEMPOTENCY_KEY_LEN_MAX};
pub(crate) use person::Person;
pub(crate) use query::{LIMIT_MAX, PageQuery, ValidQuery, limit};
pub(crate) use stranger::Stranger;
