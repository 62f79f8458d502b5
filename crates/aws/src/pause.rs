//! Pauses between tries that the client library does not make itself.

use std::time::Duration;

use waxwing_app::ports::{Entropy, EntropyExt as _};

/// How often something is tried that others are in the way of.
pub(crate) const TRIES: u32 = 8;
const FIRST_MAX_MS: u64 = 20;
const MAX_MS: u64 = 500;

/// Sleeps for a random time that grows with the number of tries so far.
pub(crate) async fn pause(entropy: &dyn Entropy, tries: u32) {
    let longest_ms = FIRST_MAX_MS.saturating_mul(1 << tries.min(16)).min(MAX_MS);
    let drawn = u64::from_be_bytes(entropy.bytes());
    tokio::time::sleep(Duration::from_millis(drawn % (longest_ms + 1))).await;
}
