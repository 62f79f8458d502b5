//! Measures `waxwing sandbox` as a process: memory and processor time for idle connections, and messages through it.
//!
//! ```text
//! network_bench 10000
//! ```
//!
//! Prints a table row for each line on standard output, and how far it is on standard error.

mod connections;
mod device;
mod line;
mod network;
mod traffic;

use anyhow::{Context, Result, ensure};
use waxwing_tests_api::Sandbox;

/// Both sides of the messages between devices, and those to whom phones write. They take part in no other figure.
const PAIRS: usize = 50;
const READERS: usize = 50;
const ACTIVE: usize = 2 * PAIRS + READERS;

#[tokio::main]
async fn main() -> Result<()> {
    let count = std::env::args().nth(1).context("usage: network_bench CONNECTIONS")?;
    let count: usize = count.parse()?;
    ensure!(count > ACTIVE, "more than {ACTIVE} connections, please");
    let folder = tempfile::tempdir()?;
    let process = Sandbox::start(folder.path()).await?;
    let (quiet, network) =
        (network::network(&process, "quiet").await?, network::network(&process, "traffic").await?);
    let mut active = connections::link_all(&network, ACTIVE).await?;
    let mut idle = connections::measure(&process, &quiet, count, &active).await?;

    eprintln!("    messages between devices");
    let figures = traffic::between_devices(&process, &mut active, PAIRS).await?;
    figures.print("between devices", "sent, acknowledged, queued durably, delivered, and the receipt back at the sender; ciphertexts are passed on as they are");
    eprintln!("    messages from phones to devices");
    let figures = traffic::from_phones(&process, &network, &mut active, READERS).await?;
    figures.print("from phones to devices", "asked for over signed HTTP, encrypted by the phone, queued durably, delivered, and the receipt acknowledged; times from the device's receipt to that");
    match idle.try_join_next() {
        None => Ok(()),
        Some(ended) => ended?,
    }
}
