//! Resident memory of idle sessions, with the sandbox in a process of its own.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use waxwing_tests_api::{Client, Sandbox, Waxwing, eventually, figures::resident_kb};

use crate::row;

/// Sessions linked at once.
const CONCURRENCY: usize = 8;
const LIST_PAUSE: Duration = Duration::from_millis(200);

/// Links so many sessions, each to a phone of its own.
pub(crate) async fn link_all(client: &Client, sessions: usize) -> Result<()> {
    let mut workers = Vec::new();
    for worker in 0..CONCURRENCY {
        let client = client.clone();
        workers.push(tokio::spawn(async move {
            for number in (worker..sessions).step_by(CONCURRENCY) {
                client.connected_session(&format!("s{number}"), &format!("+1555300{number:04}")).await?;
                if number > 0 && number % 100 == 0 {
                    eprintln!("    {number} of {sessions} sessions linked");
                }
            }
            anyhow::Ok(())
        }));
    }
    for worker in workers {
        worker.await??;
    }
    Ok(())
}

/// Waits until so many sessions are connected.
pub(crate) async fn all_connected(client: &Client, sessions: usize) -> Result<()> {
    eventually("all sessions connected", || async {
        let all = client.all("/sessions").await?;
        let connected = all.iter().filter(|session| session["status"] == json!("connected")).count();
        if connected < sessions {
            // Reading long lists takes from those who connect.
            tokio::time::sleep(LIST_PAUSE).await;
            return Ok(None);
        }
        Ok(Some(()))
    })
    .await
}

/// How much each of `sessions` idle, connected sessions adds.
pub(crate) async fn memory(sessions: usize) -> Result<()> {
    let (network, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let sandbox = Sandbox::start(network.path()).await?;
    let key_file = sandbox.key_file.display().to_string();
    let flags = ["--sandbox", &sandbox.url, "--sandbox-key-file", &key_file];
    let waxwing = Waxwing::start_with(folder.path(), &flags).await?;
    let client = waxwing.client()?;
    // The first session brings code and pools into memory that all of them share.
    client.connected_session("first", "+15552000000").await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = resident_kb(waxwing.pid())?;
    link_all(&client, sessions).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = resident_kb(waxwing.pid())?;
    let each = (after.saturating_sub(before)) / sessions.max(1) as u64;
    let remark = format!(
        "{sessions} sessions, just linked; {} MB in all, {} MB with one session",
        after / 1_024,
        before / 1_024
    );
    row("resident memory per idle session", format!("{each} KB"), &remark);

    // The same after a restart, which is how a server lives.
    waxwing.stop().await?;
    let began = std::time::Instant::now();
    let waxwing = Waxwing::start_with(folder.path(), &flags).await?;
    let client = waxwing.client()?;
    all_connected(&client, sessions + 1).await?;
    let took = began.elapsed();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let again = resident_kb(waxwing.pid())?;
    let each = again / (sessions.max(1) as u64 + 1);
    row(
        "resident memory per session after a restart, the process included",
        format!("{each} KB"),
        &format!("{} MB in all", again / 1_024),
    );
    row(
        "seconds until all are connected again after a restart",
        format!("{:.1}", took.as_secs_f64()),
        &format!("{} sessions", sessions + 1),
    );
    waxwing.stop().await.map(drop)
}
