//! Black-box tests: waxwing as a process, over HTTP.

mod admin;
mod audit;
mod auth;
mod bad_input;
mod docs;
mod identity;
mod keys;
mod kill;
mod lifecycle;
mod profile;
mod sandbox;
mod settings;
mod walk;
