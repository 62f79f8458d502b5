//! A short torture of the standalone shape.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use waxwing_tests_torture::{Plan, Shape, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_torture_loses_nothing_and_does_nothing_twice() -> Result<()> {
    let plan = Plan { seed: 1, lasts: Duration::from_secs(25), sessions: 5 };
    let report = run(Shape::standalone().await?, plan).await.context("torture")?;
    ensure!(report.found.is_well(), "{report}");
    ensure!(report.found.out.accepted > 0 && report.found.inbound.accepted > 0, "{report}");
    Ok(())
}
