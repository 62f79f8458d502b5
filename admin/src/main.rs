//! `waxwing-admin`: what an operator does to a deployment on AWS.

mod cli;
mod meter;

use std::process::ExitCode;

fn main() -> ExitCode {
    waxwing_runtime::install_tls();
    cli::run()
}
