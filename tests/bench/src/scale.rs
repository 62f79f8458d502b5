//! Sessions by the thousand in one process: memory, processor time while idle, restarts. The network is a process of its own.

use std::time::{Duration, Instant};

use anyhow::Result;
use tempfile::TempDir;
use waxwing_tests_api::{
    Sandbox, Waxwing,
    figures::{processor_time, resident_kb},
};

use crate::{
    idle::{all_connected, link_all},
    row,
};

/// After something has happened, before anything is measured.
const SETTLE: Duration = Duration::from_secs(15);
/// Long enough for each session to have looked and asked for a sign of life more than once.
const IDLE: Duration = Duration::from_secs(120);

struct World {
    network: Sandbox,
    folder: TempDir,
    _network_folder: TempDir,
}

impl World {
    async fn new() -> Result<Self> {
        let (folder, network_folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let network = Sandbox::start(network_folder.path()).await?;
        Ok(Self { network, folder, _network_folder: network_folder })
    }

    async fn start(&self) -> Result<Waxwing> {
        let key_file = self.network.key_file.display().to_string();
        let flags = ["--sandbox", self.network.url.as_str(), "--sandbox-key-file", &key_file];
        Waxwing::start_with(self.folder.path(), &flags).await
    }
}

/// All of it, with so many sessions.
pub(crate) async fn measure(sessions: usize) -> Result<()> {
    let world = World::new().await?;
    let waxwing = world.start().await?;
    let began = Instant::now();
    link_all(&waxwing.client()?, sessions).await?;
    let remark = format!("{sessions} sessions; each with a phone, a code, a scan, and a login");
    row("host: seconds until all are linked", format!("{:.0}", began.elapsed().as_secs_f64()), &remark);
    rest(&world, &waxwing, sessions, "just linked").await?;

    eprintln!("    SIGKILL");
    waxwing.kill()?;
    let waxwing = again(&world, sessions, "SIGKILL").await?;
    rest(&world, &waxwing, sessions, "after a restart").await?;

    eprintln!("    a clean stop");
    let stopped = waxwing.stop().await?;
    let what = format!("a clean stop, which took {:.1} s", stopped.as_secs_f64());
    again(&world, sessions, &what).await?.stop().await.map(drop)
}

async fn again(world: &World, sessions: usize, after: &str) -> Result<Waxwing> {
    let began = Instant::now();
    let waxwing = world.start().await?;
    let ready = began.elapsed();
    all_connected(&waxwing.client()?, sessions).await?;
    row(
        "host: seconds until all are connected again",
        format!("{:.1}", began.elapsed().as_secs_f64()),
        &format!("{sessions} sessions, after {after}; ready after {:.2} s", ready.as_secs_f64()),
    );
    Ok(waxwing)
}

/// What sessions cost that do nothing.
async fn rest(world: &World, waxwing: &Waxwing, sessions: usize, when: &str) -> Result<()> {
    tokio::time::sleep(SETTLE).await;
    eprintln!("    idle for {} s", IDLE.as_secs());
    let pids = [waxwing.pid(), world.network.pid()];
    let (began, before) = (Instant::now(), [processor_time(pids[0])?, processor_time(pids[1])?]);
    tokio::time::sleep(IDLE).await;
    let elapsed = began.elapsed().as_secs_f64();
    let share = |now: Duration, before: Duration| 100.0 * (now - before).as_secs_f64() / elapsed;
    let spent = share(processor_time(pids[0])?, before[0]);
    let spent_by_network = share(processor_time(pids[1])?, before[1]);
    let (kb, network_kb) = (resident_kb(pids[0])?, resident_kb(pids[1])?);
    row(
        "host: resident memory per idle session, all included",
        format!("{} KB", kb / sessions.max(1) as u64),
        &format!(
            "{sessions} sessions, {when}; {} MB in all, and {} MB of the network",
            kb / 1_024,
            network_kb / 1_024
        ),
    );
    row(
        "host: processor time while idle",
        format!("{spent:.1} % of a core"),
        &format!(
            "{sessions} sessions, {when}, over {} s; the network {spent_by_network:.1} %",
            IDLE.as_secs()
        ),
    );
    Ok(())
}
