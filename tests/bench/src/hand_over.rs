//! Sessions that go from one host to the other: hosts drain and start anew on the deployment that the emulator runs.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::Value;
use waxwing_tests_api::DEADLINE;
use waxwing_tests_deployed::stack::Stack;

use crate::{
    idle::{all_connected, link_all},
    row,
};

const HOSTS: usize = 2;
const SESSIONS: usize = 40;
/// What hosts say of a session.
const LET_GO: &str = "the session is let go";
const CONNECTED: &str = "the session is connected";
/// Longer than a host takes to see another one come, and to give it its sessions.
const QUIET: Duration = Duration::from_secs(15);

/// Measures at least so many hand-overs.
pub(crate) async fn measure(wanted: usize) -> Result<()> {
    let stack = Stack::start("bench", HOSTS).await?;
    eprintln!("    the deployment runs");
    let client = stack.tenant("bench")?;
    link_all(&client, SESSIONS).await?;
    all_connected(&client, SESSIONS).await?;
    let (mut drains, mut took) = (0, hand_overs(&stack.host_log()?)?);
    // Each drain moves half of the sessions away and, when the host is back, half of them to it.
    while took.len() < wanted {
        ensure!(drains <= wanted, "hosts drain, and few sessions move");
        stack.end_a_host(drains, "-TERM").await?;
        drains += 1;
        took = quiet(&stack).await?;
        all_connected(&client, SESSIONS).await?;
        eprintln!("    {} of {wanted} hand-overs", took.len());
    }
    took.sort_unstable();
    let ms = |place: usize| format!("{} ms", took[place.min(took.len() - 1)].as_millis());
    let remark = format!(
        "{} hand-overs of {SESSIONS} sessions between {HOSTS} `waxwing-session-host`, {drains} drains and as many joins, from the placement's release to the login, by the hosts' logs; the longest {}; the emulator ministack, in Python, on the same cores",
        took.len(),
        ms(took.len())
    );
    row("hand-over of a session: p50", ms(took.len() / 2), &remark);
    row("hand-over of a session: p99", ms(took.len() * 99 / 100), "the same");
    Ok(())
}

/// Waits until no session moves any more.
async fn quiet(stack: &Stack) -> Result<Vec<Duration>> {
    let (until, mut last, mut since) = (Instant::now() + DEADLINE, 0, Instant::now());
    loop {
        let bytes = stack.host_log_bytes();
        if bytes != last {
            (last, since) = (bytes, Instant::now());
        }
        if since.elapsed() >= QUIET || Instant::now() >= until {
            return hand_overs(&stack.host_log()?);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// How long each hand-over took, by what the hosts have logged. Lines of several hosts are in one file.
fn hand_overs(log: &str) -> Result<Vec<Duration>> {
    let mut said = Vec::new();
    for line in log.lines().filter(|line| line.contains(LET_GO) || line.contains(CONNECTED)) {
        let line: Value = serde_json::from_str(line)?;
        let at: Timestamp = line["timestamp"].as_str().context("a time")?.parse()?;
        let session = line["fields"]["session"].as_str().context("a session")?.to_owned();
        said.push((at, session, line["fields"]["message"] == LET_GO));
    }
    said.sort();
    let (mut free, mut took) = (BTreeMap::new(), Vec::new());
    for (at, session, let_go) in said {
        match let_go {
            true => drop(free.insert(session, at)),
            false => took.extend(free.remove(&session).map(|since| at.duration_since(since).unsigned_abs())),
        }
    }
    Ok(took)
}
