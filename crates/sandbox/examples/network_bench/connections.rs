//! Devices that are linked and then only say that they are there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use waxwing_tests_api::{
    Sandbox,
    figures::{processor_time, resident_kb},
};

use crate::device::{Linked, acknowledgement, link, request};
use crate::network::Network;

/// Devices linked at once.
const CONCURRENCY: usize = 16;
/// The client library asks for a sign of life every 15 to 30 seconds.
const KEEPALIVE: Duration = Duration::from_secs(22);
const SETTLE: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(60);

/// Connects devices until there are `count` with those that are there already, prints what they cost, and gives their tasks.
pub async fn measure(
    process: &Sandbox,
    network: &Network,
    count: usize,
    others: &[Linked],
) -> Result<JoinSet<Result<()>>> {
    tokio::time::sleep(SETTLE).await;
    let before_kb = resident_kb(process.pid())?;
    let (began, more) = (Instant::now(), count - others.len());
    let devices = link_all(network, more).await?;
    eprintln!("    {more} devices linked in {:.0} s", began.elapsed().as_secs_f64());

    let idle = stay(devices);
    tokio::time::sleep(SETTLE).await;
    let before = processor_time(process.pid())?;
    eprintln!("    idle for {} s", IDLE.as_secs());
    tokio::time::sleep(IDLE).await;
    let spent = processor_time(process.pid())? - before;
    let all_kb = resident_kb(process.pid())?;
    let each = all_kb.saturating_sub(before_kb) as f64 / more as f64;
    println!(
        "| network: resident memory per idle connection | {each:.1} KB | {count} devices logged in; {} MB in all, {} MB with the first {}, the page cache of SQLite included (64 MB at most) |",
        all_kb / 1_024,
        before_kb / 1_024,
        others.len(),
    );
    println!(
        "| network: processor time while idle | {:.1} % of a core | over {} s; {} of the connections ask for a sign of life every {} s |",
        100.0 * spent.as_secs_f64() / IDLE.as_secs_f64(),
        IDLE.as_secs(),
        idle.len(),
        KEEPALIVE.as_secs(),
    );
    Ok(idle)
}

/// Links so many devices, each to a phone of its own.
pub async fn link_all(network: &Network, count: usize) -> Result<Vec<Linked>> {
    let (next, mut workers) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for _ in 0..CONCURRENCY {
        let (network, next) = (network.clone(), next.clone());
        workers.spawn(async move {
            let mut linked = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(linked);
                }
                if number > 0 && number % 1_000 == 0 {
                    eprintln!("    {number} of {count} devices");
                }
                let device = link(&network, &format!("1555{number:07}")).await;
                linked.push(device.with_context(|| format!("device {number}"))?);
            }
        });
    }
    let mut devices = Vec::with_capacity(count);
    while let Some(worker) = workers.join_next().await {
        devices.extend(worker??);
    }
    Ok(devices)
}

/// Connections that only say that they are there.
fn stay(devices: Vec<Linked>) -> JoinSet<Result<()>> {
    let (count, mut tasks) = (devices.len().max(1), JoinSet::new());
    for (number, mut device) in devices.into_iter().enumerate() {
        tasks.spawn(async move {
            // Not all at once.
            let first = KEEPALIVE.mul_f64(number as f64 / count as f64);
            let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + first, KEEPALIVE);
            loop {
                tokio::select! {
                    _ = beat.tick() => device.line.send(&request("beat", "get", "w:p", None)).await?,
                    node = device.line.receive() => {
                        let node = node?.context("an idle connection was closed")?;
                        if let Some(ack) = acknowledgement(&node) {
                            device.line.send(&ack).await?;
                        }
                    }
                }
            }
        });
    }
    tasks
}
