//! `waxwing`: the whole product in one process on the embedded engine.

mod admin;
mod cli;
mod credentials;
mod engine;
mod internal;
mod keys;
mod mail;
mod network;
#[cfg(feature = "sandbox")]
mod sandbox;
mod serve;
mod up;

use std::process::ExitCode;

fn main() -> ExitCode {
    waxwing_runtime::install_tls();
    cli::run()
}
