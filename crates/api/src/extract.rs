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
    AccountRead, AccountWrite, Actor, AdminRead, AnyScope, ApiKeysRead, ApiKeysWrite, MembersRead,
    MembersWrite, MessagesRead, MessagesSend, MetricsRead, SandboxRead, SandboxWrite, Scope, SessionsRead,
    SessionsWrite, WebhooksRead, WebhooksWrite,
};
pub(crate) use body::Body;
pub(crate) use id_path::{IdPath, PhonePath};
pub(crate) use idempotency_key::IdempotencyKey;
pub(crate) use person::Person;
pub(crate) use query::{PageQuery, ValidQuery, limit};
pub(crate) use stranger::Stranger;
