//! Which commands there are.

use anyhow::Result;
use clap::Subcommand;

use crate::{bench, cost, generate, package, test, tidy, torture, up};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build everything and run the product: API, workers, session host and sandbox in one process.
    #[command(
        after_help = "Everything behind `--` and every flag that is not ours goes to `waxwing up`:\n  cargo xtask up --data-dir ./data --listen 127.0.0.1:8080"
    )]
    Up(up::UpArgs),
    /// Run the tests, all with the checks or one part; `cargo xtask test --help` says what each part is and needs.
    Test(test::TestArgs),
    /// Write what is generated and committed: the OpenAPI document, the table of authorisation, the reference of limits, the bill
    /// of materials.
    Gen(generate::GenArgs),
    /// Measure, in release builds, and append the results to docs/reference/benchmarks.md.
    Bench(bench::BenchArgs),
    /// Count what messages cost on AWS, on the emulator, and write it into docs/reference/cost.md. Takes some minutes.
    Cost(cost::CostArgs),
    /// Make what template.yaml deploys: build/lambda with a release build of each function.
    Package(package::PackageArgs),
    /// Disturb the product at random while messages go both ways, and compare what arrived with what was accepted.
    #[command(disable_help_flag = true)]
    Torture(torture::TortureArgs),
    /// Check what no compiler checks: edges between rooms, sizes of files, names of protocol crates.
    Tidy,
}

impl Command {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::Up(args) => up::run(args),
            Self::Test(args) => test::run(args),
            Self::Gen(args) => generate::run(args),
            Self::Bench(args) => bench::run(args),
            Self::Cost(args) => cost::run(args),
            Self::Torture(args) => torture::run(args),
            Self::Package(args) => package::run(args),
            Self::Tidy => tidy::run(),
        }
    }
}
