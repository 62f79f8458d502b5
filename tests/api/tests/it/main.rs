//! Black-box tests: waxwing as a process, over HTTP.

mod attacks;
mod auth;
mod bad_input;
mod browsers;
mod docs;
mod identity;
mod keys;
mod kill;
mod lifecycle;
mod limits;
mod profile;
mod sandbox;
mod settings;
mod walk;
