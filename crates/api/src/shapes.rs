//! Requests and answers as they go over the wire, by resource.

mod account;
mod admin;
mod admin_features;
mod admin_sessions;
mod api_key;
mod audit;
mod auth;
mod invitations;
mod me;
mod members;
mod message;
mod object;
mod person;
mod sandbox;
mod sandbox_groups;
mod sandbox_message;
mod sandbox_people;
mod send_message;
mod session;
mod usage;
mod webhook;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use account::*;
pub(crate) use admin::*;
pub(crate) use admin_features::*;
pub(crate) use admin_sessions::*;
pub(crate) use api_key::*;
pub(crate) use audit::*;
pub(crate) use auth::*;
pub(crate) use invitations::*;
pub(crate) use me::*;
pub(crate) use members::*;
pub(crate) use message::*;
pub(crate) use person::*;
pub(crate) use sandbox::*;
pub(crate) use sandbox_groups::*;
pub(crate) use sandbox_message::*;
pub(crate) use sandbox_people::*;
pub(crate) use send_message::*;
pub(crate) use session::*;
pub(crate) use usage::*;
pub(crate) use webhook::*;

fn yes() -> bool {
    true
}

/// A page of a list.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The entries. A page may be short while there is a cursor.
    pub(crate) data: Vec<T>,
    /// For the next page; null at the end.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}
