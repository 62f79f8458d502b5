//! Functions are killed while they work, and session hosts with them, and hosts hand over: nothing is lost, and nothing is
//! done twice.

use anyhow::Result;
use waxwing_tests_api::traffic::{Amount, lose_nothing};

use crate::shared::{QUIET, stack};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_functions_and_hosts_lose_nothing_and_do_nothing_twice() -> Result<()> {
    let _alone = QUIET.write().await;
    let stack = stack().await?;
    let client = stack.tenant("kills")?;
    let place = client.clone();
    let done = lose_nothing(client, Amount { messages: 60, disturbances: 9 }, async |number| {
        match number % 3 {
            0 => stack.end_a_host(number, "-KILL").await?,
            1 => stack.kill_functions()?,
            // It gives its sessions to the other.
            _ => stack.end_a_host(number, "-TERM").await?,
        }
        Ok(place.clone())
    })
    .await;
    match done {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(stack.logs())),
    }
}
