//! SIGKILL at random moments: nothing that was accepted is lost, and nothing is done twice.

use anyhow::{Context, Result};
use waxwing_tests_api::{
    Waxwing,
    traffic::{Amount, lose_nothing},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_kills_lose_nothing_and_do_nothing_twice() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let mut running = Some(waxwing);
    let done = lose_nothing(client, Amount { messages: 500, disturbances: 10 }, async |_| {
        running.take().context("it runs")?.kill()?;
        let waxwing = Waxwing::start(folder.path()).await?;
        let client = waxwing.client()?;
        running = Some(waxwing);
        Ok(client)
    })
    .await;
    done.with_context(|| running.map(|waxwing| waxwing.log()).unwrap_or_default())
}
