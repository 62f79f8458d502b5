//! What every binary needs: the clock, randomness, telemetry, the guarded way out to webhook receivers and to
//! media that customers name, and the signed way to our own processes.
//!
//! This is the only room that reads the wall clock, the environment and the operating system's randomness.

mod addresses;
mod descriptors;
mod file_names;
mod guard;
mod internal_http;
mod media_fetch;
mod metrics;
mod shutdown;
mod smtp;
mod system;
mod telemetry;
mod webhook_post;

pub use addresses::{is_public, proxy_guard};
pub use descriptors::raise_descriptor_limit;
pub use internal_http::{ClientMaker, RemoteSandbox, signed_client_maker, unix_seconds};
pub use media_fetch::{FetchTimes, GuardedFetch};
pub use metrics::print_metrics;
pub use shutdown::shutdown_signal;
pub use smtp::{SmtpError, SmtpMailer};
pub use system::{OsEntropy, SystemClock};
pub use telemetry::{LogFormat, start_telemetry};
pub use webhook_post::GuardedPost;

/// Makes one TLS implementation the process's own. Call it once, first.
pub fn install_tls() {
    // A second call finds the first one's provider, which is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A variable of the environment, for settings.
#[expect(clippy::disallowed_methods, reason = "settings come from here")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
