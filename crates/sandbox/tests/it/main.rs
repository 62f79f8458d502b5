//! The sandbox against the real, unmodified client library, over real sockets.

mod accounts;
mod app_state;
mod code;
mod content;
mod control;
mod determinism;
mod durability;
mod faults;
mod group_requests;
mod groups;
mod history;
mod kinds;
mod media;
mod messages;
mod pairing;
mod people;
mod presence;
mod refused;
mod support;
