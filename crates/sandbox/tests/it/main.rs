//! The sandbox against the real, unmodified client library, over real sockets.

mod app_state;
mod code;
mod content;
mod control;
mod durability;
mod faults;
mod groups;
mod history;
mod media;
mod messages;
mod pairing;
mod people;
mod presence;
mod support;
