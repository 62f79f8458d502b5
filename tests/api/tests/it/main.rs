//! Black-box tests: waxwing as a process, over HTTP.

mod bad_input;
mod docs;
mod identity;
mod kill;
mod lifecycle;
mod sandbox;
mod settings;
mod walk;
