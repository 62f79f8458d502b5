//! `cargo xtask`: the commands of this workspace. `cargo xtask --help` lists them.

mod bench;
mod cost;
mod emulators;
mod generate;
mod package;
mod protocol;
mod shell;
mod test;
mod tidy;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, run, test and measure Waxwing.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build everything and run the product: API, workers, session host and sandbox in one process.
    #[command(
        after_help = "Everything behind `--` and every flag that is not ours goes to `waxwing up`:\n  cargo xtask up --data-dir ./data --listen 127.0.0.1:8080"
    )]
    Up(up::UpArgs),
    /// Run the tests, all with the checks or one part; `cargo xtask test --help` says what each part is and needs.
    Test(test::TestArgs),
    /// Write what is generated and committed: the OpenAPI document.
    Gen(generate::GenArgs),
    /// Measure, in release builds, and append the results to docs/reference/benchmarks.md.
    Bench(bench::BenchArgs),
    /// Count what messages cost on AWS, on the emulator, and write it into docs/reference/cost.md. Takes some minutes.
    Cost(cost::CostArgs),
    /// Make what template.yaml deploys: build/lambda with a release build of each function.
    Package(package::PackageArgs),
    /// Check what no compiler checks: edges between rooms, sizes of files, names of protocol crates.
    Tidy,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Up(args) => up::run(args),
        Command::Test(args) => test::run(args),
        Command::Gen(args) => generate::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Cost(args) => cost::run(args),
        Command::Package(args) => package::run(args),
        Command::Tidy => tidy::run(),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("xtask: {error:#}");
    ExitCode::FAILURE
}
