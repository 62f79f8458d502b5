//! Values and aggregates of Waxwing: what can be decided without the outside world.
//!
//! Nothing here awaits, reads a clock, draws a random number, logs, or knows HTTP or AWS. Time, ids and randomness
//! arrive inside commands. Each aggregate has a pure `decide(&self, command) -> Result<Vec<Event>, Error>`.

#[macro_use]
mod aggregate;

pub mod account;
pub mod api_key;
pub mod call;
pub mod content;
pub mod context;
pub mod feature;
pub mod ids;
pub mod jid;
pub mod message;
pub mod network;
pub mod person;
pub mod phone_number;
pub mod redacted;
pub mod session;
pub mod user;
pub mod webhook_endpoint;

pub use content::Content;
pub use context::Context;
pub use cqrs_es::{Aggregate, DomainEvent};
pub use feature::Feature;
pub use ids::{
    AccountId, ApiKeyId, CallId, EventId, InvitationId, MessageId, RequestId, SessionId, UserId,
    WebhookDeliveryId, WebhookEndpointId,
};
pub use jid::{Jid, Lid, Recipient};
pub use jiff::Timestamp;
pub use network::Network;
pub use person::Person;
pub use phone_number::PhoneNumber;
pub use redacted::{Secret, Text};
