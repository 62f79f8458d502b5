//! One suite per port: what its documentation promises, as checks that every engine runs.
//!
//! A suite panics with the promise that broke. It expects an engine built with the [`TestClock`] that it gets (one whose
//! engine cannot choose its clock takes any [`TestTime`]), and keeps to names of its own, so several suites can share one
//! engine; a second run needs an empty one. The suites' own tests show each of them an engine with a fault and expect the
//! panic.

mod clock;
mod entropy;
mod erasure;
mod exclusive_work;
mod feed;
mod journal;
mod records;
mod samples;
mod search;
mod secret_box;
mod work;

pub use clock::{RealTime, TestClock, TestTime};
pub use entropy::SeededEntropy;
pub use erasure::{erasure, key_custody};
pub use exclusive_work::exclusive_work;
pub use feed::feed;
pub use journal::journal;
pub use records::records;
pub use search::search;
pub use secret_box::secret_box;
pub use work::{WORK_QUEUES, work};
