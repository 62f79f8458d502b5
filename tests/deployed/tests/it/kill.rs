//! Functions are killed while they work, and session hosts with them, and hosts hand over: nothing is lost, and nothing is
//! done twice.

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
    let done = lose_nothing(client, Amount { messages: 60, disturbances: 9 }, async |number| {
        match number % 3 {
            0 => end_a_host(number, "-KILL").await?,
            1 => kill_functions().await?,
            // It gives its sessions to the other.
            _ => end_a_host(number, "-TERM").await?,
        }
        Ok(place.clone())
    })
    .await;
    match done {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(stack().await?.logs())),
    }
}

/// Ends one host after the other by this signal, and waits until a new one runs in its place.
async fn end_a_host(number: usize, signal: &str) -> Result<()> {
    let pids = async || -> Result<Vec<u64>> {
        let facts = stack().await?.facts()?;
        let hosts = facts["pids"]["hosts"].as_array().context("hosts")?;
        Ok(hosts.iter().filter_map(|host| host.as_u64()).collect())
    };
    let hosts = pids().await?;
    let place = number % hosts.len();
    end(hosts[place], signal)?;
    eventually("a new session host", || async { Ok((pids().await?[place] != hosts[place]).then_some(())) }).await
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
            end(pid, "-KILL")?;
        }
    }
    Ok(())
}

fn end(pid: u64, signal: &str) -> Result<()> {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status()?;
    ensure!(status.success(), "process {pid} cannot be ended");
    Ok(())
}
