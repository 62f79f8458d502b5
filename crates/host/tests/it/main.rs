//! The host with the real client on the embedded engine, against the simulated network.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod deaf;
mod fleet;
mod history;
mod outdated;
mod pairing;
mod proxies;
mod replay;
mod rest;
mod settings;
mod switchboard;
mod wire;
mod world;
