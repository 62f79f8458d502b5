//! What the functions share: the start, and the answers to batches. Each binary adapts one trigger to a handler of `app`.

mod batch;
mod parts;

pub use batch::{BatchFailures, QueueEvent, StreamEvent, run_jobs, run_stream};
pub use parts::{Error, api, connect, webhook_dispatch};
