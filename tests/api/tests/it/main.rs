//! Black-box tests: waxwing as a process, over HTTP.

mod auth;
mod authorisation;
mod bad_input;
mod docs;
mod identity;
mod isolation;
mod keys;
mod kill;
mod lifecycle;
mod members;
mod operations;
mod profile;
mod sandbox;
mod settings;
mod walk;
