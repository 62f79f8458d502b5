//! The host with the real client on the embedded engine, against the simulated network; and the live build against what it
//! must not reach (`cargo xtask test live`).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
#![cfg_attr(not(feature = "sandbox"), allow(dead_code, reason = "the live build has few tests"))]

#[cfg(feature = "sandbox")]
mod deaf;
#[cfg(feature = "sandbox")]
mod fleet;
#[cfg(feature = "sandbox")]
mod history;
#[cfg(not(feature = "sandbox"))]
mod live;
mod networks;
#[cfg(feature = "sandbox")]
mod outdated;
#[cfg(feature = "sandbox")]
mod pairing;
#[cfg(feature = "sandbox")]
mod proxies;
#[cfg(feature = "sandbox")]
mod replay;
#[cfg(feature = "sandbox")]
mod rest;
#[cfg(feature = "sandbox")]
mod settings;
mod switchboard;
mod wire;
mod world;
