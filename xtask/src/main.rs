//! `cargo xtask`: the commands of this workspace. `cargo xtask --help` lists them.

mod bench;
mod command;
mod cost;
mod emulators;
mod fuzz;
mod generate;
mod package;
mod protocol;
mod python;
mod sbom;
mod shell;
mod supply_chain;
mod test;
mod tidy;
mod torture;
mod up;

use std::process::ExitCode;

use clap::Parser;

/// Build, run, test and measure Waxwing.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: command::Command,
}

fn main() -> ExitCode {
    let Err(error) = Cli::parse().command.run() else { return ExitCode::SUCCESS };
    eprintln!("xtask: {error:#}");
    ExitCode::FAILURE
}
