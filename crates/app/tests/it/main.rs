//! Use cases, processes and the feed's runner on the embedded engine, with a clock that stands still until it is moved.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod api_keys;
mod delivery;
mod erasing;
mod features;
mod feed;
mod identities;
mod lists;
mod mails;
mod members;
mod rebuild;
mod rotation;
mod search;
mod sign_in;
mod usage;
mod webhooks;
mod world;
