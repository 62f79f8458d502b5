//! `cargo xtask bench`

use anyhow::Result;

use crate::shell::{cargo, step};

/// What `bench` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// Sessions whose memory is measured.
    #[arg(long, default_value_t = 200)]
    sessions: u32,
}

pub(crate) fn run(BenchArgs { sessions }: BenchArgs) -> Result<()> {
    let mut bench = cargo(&["run", "--release", "--package", "waxwing-tests-bench", "--"]);
    step("benches", bench.arg(sessions.to_string()))
}
