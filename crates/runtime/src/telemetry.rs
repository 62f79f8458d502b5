use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::environment;

/// What is logged when `WAXWING_LOG` says nothing else: what we say, and errors of others. The client library tells of
/// every connect at `info`, under targets of many names, and of each try that fails as an error, which the session says once.
const DEFAULT_FILTER: &str = "error,waxwing=info,whatsapp_rust::client::lifecycle=off";

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people at a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error. `WAXWING_LOG` holds a filter such as `info,waxwing_host=debug`.
pub fn start_telemetry(format: LogFormat) {
    let wanted = environment("WAXWING_LOG").unwrap_or_else(|| DEFAULT_FILTER.to_owned());
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let registry = tracing_subscriber::registry().with(filter);
    // A second start keeps the first.
    let _ = match format {
        LogFormat::Text => {
            registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false)).try_init()
        },
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init(),
    };
}
