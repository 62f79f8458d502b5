//! Black-box tests: waxwing as a process, over HTTP.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod bad_input;
mod kill;
mod lifecycle;
mod walk;
