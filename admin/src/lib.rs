//! What an operator does to a deployment on AWS that takes long: rebuild the read models, bring commits to consumers again,
//! rotate data keys.
//!
//! The first two walk through the journal while the system runs, tell how far they are, and keep in Records where they were: after
//! an end of any kind the same call goes on there. What a consumer does is idempotent, and a row is only replaced by what
//! the journal says, so two of them at once do no harm.

mod checkpoint;
mod error;
mod patience;
mod progress;
mod rebuild;
mod refeed;
mod rotate;
mod silent;

pub use error::OperatorError;
pub use progress::{Report, Standing};
pub use rebuild::{Failure, RebuildOptions, RebuildReport, Tally, rebuild};
pub use refeed::{BATCH, RefeedOptions, RefeedReport, StillParked, refeed};
pub use rotate::{RotationReport, rotate_data_keys};
pub use silent::SilentGateway;
