//! `cargo xtask torture`.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use clap::{Parser, ValueEnum};
use waxwing_tests_torture::{Plan, Shape, run};

/// Random traffic while everything is disturbed at random.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask torture")]
struct Cli {
    /// Decides who does what to whom.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// For how long.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=24 * 60))]
    minutes: u64,
    /// How many sessions.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    sessions: u16,
    /// Where.
    #[arg(long, value_enum, default_value_t = On::Standalone)]
    on: On,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum On {
    /// `waxwing up`.
    Standalone,
    /// template.yaml on an emulator of AWS, with three session hosts.
    Aws,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let Cli { seed, minutes, sessions, on } = Cli::parse();
    let plan = Plan { seed, lasts: Duration::from_secs(60 * minutes), sessions: sessions.into() };
    let shape = match on {
        On::Standalone => Shape::standalone().await?,
        On::Aws => Shape::deployed().await?,
    };
    let report = run(shape, plan).await?;
    println!("{report}");
    Ok(match report.found.is_well() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
