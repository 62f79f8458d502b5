//! Extractors: a handler cannot get at anything without passing them.

mod actor;
mod body;
mod idempotency_key;
mod id_path;
mod query;

pub(crate) use actor::{
    Actor, MessagesRead, MessagesSend, SandboxRead, SandboxWrite, SessionsRead, SessionsWrite, WebhooksRead,
    WebhooksWrite,
};
pub(crate) use body::Body;
pub(crate) use id_path::{IdPath, PhonePath};
pub(crate) use idempotency_key::IdempotencyKey;
pub(crate) use query::{PageQuery, ValidQuery, limit};
