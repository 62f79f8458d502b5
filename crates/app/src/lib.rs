//! Use cases: commands, queries, projections (event → read model), processes (event → work), and the ports that the
//! outside implements.

pub mod codec;
pub mod commands;
pub mod envelope;
pub mod execute;
pub mod features;
pub mod feed;
pub mod fleet;
pub mod id_source;
pub mod identities;
pub mod kept_mail;
pub mod keys;
pub mod mail;
pub mod passwords;
pub mod patience;
pub mod ports;
pub mod processes;
pub mod projections;
pub mod queries;
pub mod recent;
pub mod rotation;
pub mod rows;
pub mod search;
pub mod sent_mail;
mod tokens;
pub mod told_events;
pub mod views;
pub mod worker;
