//! Torture: sessions and phones write to each other at random while processes are killed and drained, the network
//! misbehaves and receivers fail. At the end the phones' inboxes, the API and the receiver's log are compared with what
//! was accepted. One seed decides who does what to whom; when, the machine decides.

mod blow;
mod judge;
mod report;
mod shape;
mod traffic;

pub use report::Report;
pub use shape::Shape;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use tokio::{sync::watch, task::JoinSet, time::Instant};
use waxwing_tests_api::{Client, Method, Receiver};

use blow::Blow;

/// What is done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Decides everything but times.
    pub seed: u64,
    /// For how long.
    pub lasts: Duration,
    /// Sessions, each with a phone of its own and three people who write with it.
    pub sessions: usize,
}

/// Longest pause between two blows.
const PAUSE_MS_MAX: u64 = 6_000;

/// Does it, and judges. An error says that it could not be done; what was lost is in the report.
pub async fn run(mut shape: Shape, plan: Plan) -> Result<Report> {
    let client = shape.client()?;
    let receiver = Receiver::start().await?;
    let wanted = json!({ "url": receiver.url(), "events": ["message.received"] });
    let hook = client.post("/webhooks", wanted).await?;
    receiver.expect_secret(hook.body["secret"].as_str().context("a secret")?);
    let mut sessions = Vec::new();
    for number in 0..plan.sessions {
        sessions.push(traffic::Line::open(&client, number).await?);
    }
    eprintln!("{} sessions are connected", sessions.len());

    let (moved, place) = watch::channel(client);
    let until = Instant::now() + plan.lasts;
    let mut speaking = JoinSet::new();
    for line in sessions {
        speaking.spawn(line.speak(place.clone(), plan.seed, until));
    }
    let blows = strike(&mut shape, plan, &receiver, &moved, until).await.context(shape.logs())?;
    let mut lines = Vec::new();
    while let Some(line) = speaking.join_next().await {
        lines.push(line??);
    }
    let client = shape.calm().await?;
    moved.send_replace(client.clone());
    client.raw(Method::DELETE, "/api/v1/sandbox/faults", &[], None).await?;
    let found = judge::judge(&client, &receiver, &lines, shape.standstill()).await?;
    Ok(Report { plan, blows, found })
}

/// One blow after the other, until the time is over. How many of each.
async fn strike(
    shape: &mut Shape,
    plan: Plan,
    receiver: &Receiver,
    moved: &watch::Sender<Client>,
    until: Instant,
) -> Result<BTreeMap<Blow, usize>> {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let mut blows = BTreeMap::new();
    while Instant::now() < until {
        let blow = Blow::draw(&mut random, shape.is_deployed());
        let pause = Duration::from_millis(random.random_range(0..PAUSE_MS_MAX));
        let client = moved.borrow().clone();
        if let Some(client) = blow.strike(shape, &client, receiver, &mut random).await? {
            moved.send_replace(client);
        }
        *blows.entry(blow).or_default() += 1;
        tokio::time::sleep(pause).await;
    }
    Ok(blows)
}
