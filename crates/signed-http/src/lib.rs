//! HMAC-signed HTTP requests between our own processes.
//!
//! A request carries three headers: [`TIMESTAMP_HEADER`], [`NONCE_HEADER`] and [`SIGNATURE_HEADER`], the
//! hex HMAC-SHA256 over `method\npath_and_query\ntimestamp\nnonce\nsha256hex(body)`. The receiver refuses
//! a time outside [`WINDOW_S`], a nonce it has seen, and a body over [`BODY_LIMIT_BYTES`].
//!
//! Clock and randomness are arguments everywhere, so that tests decide both.

mod client;
mod hex;
mod key;
mod layer;
mod verifier;

use std::sync::Arc;

pub use client::{Answer, Client, ClientError, TIMEOUT};
pub use key::{Headers, KeyError, SigningKey, sign};
pub use layer::require_signature;
pub use verifier::{NONCE_LIMIT, Refused, Verifier};

/// Header with the time of signing, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "x-waxwing-timestamp";
/// Header with 16 random bytes in hex, never used twice.
pub const NONCE_HEADER: &str = "x-waxwing-nonce";
/// Header with the hex HMAC-SHA256.
pub const SIGNATURE_HEADER: &str = "x-waxwing-signature";
/// How far the time of signing may lie from the receiver's clock, to either side, in seconds.
pub const WINDOW_S: i64 = 60;
/// The largest body that a receiver buffers to check its signature.
pub const BODY_LIMIT_BYTES: usize = 8 * 1024 * 1024;

/// Tells the time in Unix seconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Gives 16 bytes that never repeat: randomness from the operating system.
pub type NonceSource = Arc<dyn Fn() -> [u8; 16] + Send + Sync>;
