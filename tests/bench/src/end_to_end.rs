//! Accepting messages, and their whole way to the webhook of the delivery receipt.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use waxwing_tests_api::{Client, Receiver, Waxwing, eventually};

use crate::row;

/// Requests under way at once.
const CONCURRENCY: usize = 64;
const ACCEPTED: usize = 6_000;
const END_TO_END: usize = 3_000;
const FRIENDS: usize = 50;
/// Runs of each of two builds.
const ROUNDS: usize = 5;

fn friend(number: usize) -> String {
    format!("+1555100{:04}", number % FRIENDS)
}

/// Posts `count` messages; gives how long each took, and the whole.
async fn post_all(client: &Client, session: &str, count: usize) -> Result<(Vec<Duration>, Duration)> {
    let began = Instant::now();
    let mut workers = Vec::new();
    for worker in 0..CONCURRENCY {
        let (client, session) = (client.clone(), session.to_owned());
        workers.push(tokio::spawn(async move {
            let mut times = Vec::new();
            for number in (worker..count).step_by(CONCURRENCY) {
                let text = format!("message {number}");
                let body =
                    json!({ "session_id": session, "to": friend(number), "type": "text", "text": text });
                let began = Instant::now();
                let answer = client.post("/messages", body).await?;
                times.push(began.elapsed());
                ensure!(answer.status == 202, "{answer:?}");
            }
            Ok(times)
        }));
    }
    let mut times = Vec::new();
    for worker in workers {
        times.extend(worker.await??);
    }
    Ok((times, began.elapsed()))
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len() * percent / 100).copied().unwrap_or_default()
}

/// Accepted messages in a second, with a session that does not send, and the time of each.
async fn accepted(waxwing: Waxwing) -> Result<(f64, Vec<Duration>)> {
    let client = waxwing.client()?;
    let made = client.post("/sessions", json!({ "name": "bench", "start": false })).await?;
    let session = made.body["id"].as_str().context("an id")?;
    let (times, whole) = post_all(&client, session, ACCEPTED).await?;
    waxwing.stop().await?;
    Ok((ACCEPTED as f64 / whole.as_secs_f64(), times))
}

/// How fast `POST /messages` accepts.
pub(crate) async fn accept() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (rate, mut times) = accepted(Waxwing::start(folder.path()).await?).await?;
    let p99 = percentile(&mut times, 99);
    let remark = format!(
        "p99 {:.1} ms, {CONCURRENCY} clients, the client on the same two cores",
        p99.as_secs_f64() * 1e3
    );
    row("POST /messages, accepted/s", format!("{rate:.0}"), &remark);
    Ok(())
}

/// The same next to another build, by turns.
pub(crate) async fn accept_against(other: &Path) -> Result<()> {
    let ours = waxwing_tests_api::binary()?;
    let mut rates: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (rates, program) in rates.iter_mut().zip([&*ours, other]) {
            let folder = tempfile::tempdir()?;
            rates.push(accepted(Waxwing::start_program(program, folder.path()).await?).await?.0);
        }
    }
    let [ours, theirs] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    });
    let name = other.file_name().unwrap_or_default().to_string_lossy();
    let remark =
        format!("{theirs:.0} with {name}, so {:.2} times; medians of {ROUNDS} by turns", ours / theirs);
    row("POST /messages, accepted/s, next to another build", format!("{ours:.0}"), &remark);
    Ok(())
}

/// From accept to the webhook of the delivery receipt.
pub(crate) async fn to_webhook() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    for number in 0..FRIENDS {
        client.make_phone(&friend(number)).await?;
    }
    let session = client.connected_session("bench", "+15551999999").await?;
    let receiver = Receiver::start().await?;
    let hook =
        client.post("/webhooks", json!({ "url": receiver.url(), "events": ["message.status"] })).await?;
    receiver.expect_secret(hook.body["secret"].as_str().context("a secret")?);
    // First messages fetch keys; they are not what is measured.
    post_all(&client, &session, FRIENDS).await?;
    let delivered = |receiver: &Receiver| {
        receiver.received().iter().filter(|hook| hook.body["data"]["status"] == "delivered").count()
    };
    eventually("the first deliveries", || async { Ok((delivered(&receiver) >= FRIENDS).then_some(())) })
        .await?;

    let began = Instant::now();
    let (_, accepted) = post_all(&client, &session, END_TO_END).await?;
    // Each message has three webhooks: queued, sent, delivered.
    let all = 3 * (END_TO_END + FRIENDS);
    let arrived =
        eventually("all deliveries", || async { Ok((receiver.count() >= all).then_some(())) }).await;
    arrived.with_context(|| {
        let mut steps: BTreeMap<String, usize> = BTreeMap::new();
        for hook in receiver.received() {
            *steps.entry(hook.body["data"]["status"].to_string()).or_default() += 1;
        }
        format!("received {steps:?}, refused {:?}\n{}", receiver.refused(), waxwing.log())
    })?;
    let last = receiver.received().iter().map(|hook| hook.at).max().context("a webhook")?;
    let whole = last.duration_since(began);
    let distinct: BTreeMap<String, Value> =
        receiver.received().into_iter().map(|hook| (hook.id, hook.body)).collect();
    let rate = END_TO_END as f64 / whole.as_secs_f64();
    let remark = format!(
        "{END_TO_END} messages to {FRIENDS} chats, three webhooks each ({} received, {} distinct); all accepted after {:.1} s",
        receiver.count(),
        distinct.len(),
        accepted.as_secs_f64()
    );
    row("end to end, messages/s (accept → webhook of the delivery receipt)", format!("{rate:.0}"), &remark);
    waxwing.stop().await.map(drop)
}
