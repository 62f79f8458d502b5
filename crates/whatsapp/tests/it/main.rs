//! The real client, on the real conversion and store, against the simulated network.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[expect(dead_code, reason = "shared with the unit tests, which use all of it")]
mod doubles;
mod media;
mod messages;
mod network;
mod pairing;
mod reconnecting;
