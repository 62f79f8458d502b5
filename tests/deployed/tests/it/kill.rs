//! Functions are killed while they work, and the session host with them: nothing is lost, and nothing is done twice.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use waxwing_tests_api::{
    eventually,
    traffic::{Amount, lose_nothing},
};

use crate::shared::{QUIET, stack};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_functions_and_hosts_lose_nothing_and_do_nothing_twice() -> Result<()> {
    let _alone = QUIET.write().await;
    let client = stack().await?.tenant("kills")?;
    let place = client.clone();
    let done = lose_nothing(client, Amount { messages: 60, disturbances: 6 }, async |number| {
        match number % 3 {
            0 => kill_the_host().await?,
            _ => kill_functions().await?,
        }
        Ok(place.clone())
    })
    .await;
    match done {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(stack().await?.logs())),
    }
}

async fn kill_the_host() -> Result<()> {
    let host = async || -> Result<u64> { stack().await?.facts()?["pids"]["host"].as_u64().context("a host") };
    let before = host().await?;
    kill(before)?;
    eventually("a new session host", || async { Ok((host().await? != before).then_some(())) }).await
}

/// SIGKILL for every function process that is there, whatever it does at the moment.
async fn kill_functions() -> Result<()> {
    let emulator = stack().await?.facts()?["pids"]["emulator"].as_u64().context("an emulator")?;
    for process in fs::read_dir("/proc")?.flatten() {
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        let parent =
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u64>().ok());
        let pid = process.file_name().to_string_lossy().parse::<u64>();
        if let (Some(parent), Ok(pid)) = (parent, pid)
            && parent == emulator
        {
            kill(pid)?;
        }
    }
    Ok(())
}

fn kill(pid: u64) -> Result<()> {
    let status = Command::new("kill").args(["-KILL", &pid.to_string()]).status()?;
    ensure!(status.success(), "process {pid} cannot be killed");
    Ok(())
}
