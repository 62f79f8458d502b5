//! The sandbox against the real, unmodified client library, over real sockets.

mod code;
mod content;
mod control;
mod durability;
mod faults;
mod groups;
mod media;
mod messages;
mod pairing;
mod support;
