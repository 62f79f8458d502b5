//! Black-box tests: waxwing as a process, over HTTP.

mod admin;
mod admin_features;
mod admin_sessions;
mod admin_usage;
mod attacks;
mod audit;
mod auth;
mod authorisation;
mod bad_input;
mod browsers;
mod docs;
mod identity;
mod isolation;
mod keys;
mod kill;
mod lifecycle;
mod limits;
mod members;
mod operations;
mod profile;
mod rotation;
mod sandbox;
mod sandbox_kinds;
mod search;
mod settings;
mod walk;
