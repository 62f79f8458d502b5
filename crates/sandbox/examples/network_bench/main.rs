//! Measures `waxwing sandbox` as a process: memory and processor time for idle connections, and messages through it.
//!
//! ```text
//! network_bench target/release/waxwing 10000
//! ```
//!
//! Prints a table row for each line on standard output, and how far it is on standard error.

mod device;
mod line;
mod network;
mod traffic;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::task::JoinSet;

use device::{Linked, acknowledgement, link, request};
use network::{Network, Process};
use traffic::Figures;

/// Devices linked at once.
const CONCURRENCY: usize = 16;
/// Both sides of the messages between devices, and those to whom phones write.
const PAIRS: usize = 50;
const READERS: usize = 50;
/// The client library asks for a sign of life every 15 to 30 seconds.
const KEEPALIVE: Duration = Duration::from_secs(22);
const SETTLE: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, connections] = &arguments[..] else { bail!("usage: network_bench WAXWING CONNECTIONS") };
    let connections: usize = connections.parse()?;
    ensure!(connections > 2 * PAIRS + READERS, "more connections, please");
    let process = Process::start(Path::new(program)).await?;
    let network = process.network().await?;

    let mut devices = vec![link(&network, "15550000000").await?];
    tokio::time::sleep(SETTLE).await;
    let alone_kb = process.resident_kb()?;
    let began = Instant::now();
    link_all(&network, connections, &mut devices).await?;
    eprintln!("    {} devices linked in {:.0} s", devices.len(), began.elapsed().as_secs_f64());

    // Some take part in the traffic later; the others stay idle until the end.
    let mut active = devices.split_off(devices.len() - 2 * PAIRS - READERS);
    let mut idle = stay(devices);
    tokio::time::sleep(SETTLE).await;
    let before = process.processor_time()?;
    eprintln!("    idle for {} s", IDLE.as_secs());
    tokio::time::sleep(IDLE).await;
    let spent = process.processor_time()? - before;
    let all_kb = process.resident_kb()?;
    let each = all_kb.saturating_sub(alone_kb) as f64 / (connections - 1) as f64;
    println!(
        "| network: resident memory per idle connection | {each:.1} KB | {connections} devices logged in; {} MB in all, {} MB with one, the page cache of SQLite included (64 MB at most) |",
        all_kb / 1_024,
        alone_kb / 1_024,
    );
    println!(
        "| network: processor time while idle | {:.1} % of a core | {} of the connections ask for a sign of life every {} s |",
        100.0 * spent.as_secs_f64() / IDLE.as_secs_f64(),
        connections - active.len(),
        KEEPALIVE.as_secs(),
    );

    eprintln!("    messages between devices");
    let figures = traffic::between_devices(&process, &mut active, PAIRS).await?;
    print(
        "between devices",
        &figures,
        "sent, acknowledged, queued durably, delivered, and the receipt back at the sender; ciphertexts are passed on as they are",
    );
    eprintln!("    messages from phones to devices");
    let figures = traffic::from_phones(&process, &network, &mut active, READERS).await?;
    print(
        "from phones to devices",
        &figures,
        "asked for over signed HTTP, encrypted by the phone, queued durably, delivered, and the receipt acknowledged; times from delivery to that",
    );
    match idle.try_join_next() {
        None => Ok(()),
        Some(ended) => ended?,
    }
}

fn print(what: &str, figures: &Figures, remark: &str) {
    let Figures { per_s, p50, p99, processor_time } = figures;
    println!(
        "| network: messages/s {what} | {per_s:.0} | {remark}: p50 {:.1} ms, p99 {:.1} ms; {} µs of the network's processor time each, the clients on the same cores |",
        p50.as_secs_f64() * 1_000.0,
        p99.as_secs_f64() * 1_000.0,
        processor_time.as_micros(),
    );
}

async fn link_all(network: &Network, count: usize, devices: &mut Vec<Linked>) -> Result<()> {
    let (next, mut workers) = (Arc::new(AtomicUsize::new(devices.len())), JoinSet::new());
    for _ in 0..CONCURRENCY {
        let (network, next) = (network.clone(), next.clone());
        workers.spawn(async move {
            let mut linked = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(linked);
                }
                if number % 1_000 == 0 {
                    eprintln!("    {number} of {count} devices");
                }
                let device = link(&network, &format!("1555{number:07}")).await;
                linked.push(device.with_context(|| format!("device {number}"))?);
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        devices.extend(worker??);
    }
    Ok(())
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
