//! Messages through the network, as fast as it takes them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use wacore_binary::Jid;
use wacore_binary::builder::NodeBuilder;
use waxwing_tests_api::{Sandbox, figures::processor_time};

use crate::device::{Linked, acknowledgement, text};
use crate::network::Network;

/// Ciphertexts of a short text are about so long.
const CIPHERTEXT: [u8; 150] = [7; 150];
/// Messages that one device has under way.
const UNDER_WAY: usize = 4;
/// Requests under way at the control API.
const WRITERS: usize = 16;
const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(20);

/// What came of it.
pub struct Figures {
    per_s: f64,
    p50: Duration,
    p99: Duration,
    /// Processor time of the network for each message.
    processor_time: Duration,
}

impl Figures {
    /// As a row of the table.
    pub fn print(&self, what: &str, remark: &str) {
        println!(
            "| network: messages/s {what} | {:.0} | {remark}: p50 {:.1} ms, p99 {:.1} ms; {} µs of the network's processor time each, the clients on the same cores |",
            self.per_s,
            self.p50.as_secs_f64() * 1_000.0,
            self.p99.as_secs_f64() * 1_000.0,
            self.processor_time.as_micros(),
        );
    }
}

/// How long each message took that ended while it was measured.
#[derive(Clone, Default)]
struct Ended(Arc<std::sync::Mutex<Vec<Duration>>>);

impl Ended {
    fn note(&self, took: Duration) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(took);
    }

    fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Devices write to devices. A message counts when its receipt is back.
pub async fn between_devices(process: &Sandbox, devices: &mut Vec<Linked>, pairs: usize) -> Result<Figures> {
    let (ended, mut tasks) = (Ended::default(), JoinSet::new());
    for number in 0..pairs {
        let receiver = devices.pop().context("a device")?;
        let sender = devices.pop().context("a device")?;
        tasks.spawn(send(sender, receiver.jid.clone(), number, ended.clone()));
        tasks.spawn(answer(receiver, None));
    }
    measure(process, tasks, &ended).await
}

/// Phones write to devices. A message counts when the device's receipt was acknowledged.
pub async fn from_phones(
    process: &Sandbox,
    network: &Network,
    devices: &mut Vec<Linked>,
    readers: usize,
) -> Result<Figures> {
    let (ended, mut tasks) = (Ended::default(), JoinSet::new());
    let mut numbers = Vec::new();
    for _ in 0..readers {
        let reader = devices.pop().context("a device")?;
        numbers.push(reader.jid.user.to_string());
        tasks.spawn(answer(reader, Some(ended.clone())));
    }
    let (numbers, turn) = (Arc::new(numbers), Arc::new(AtomicU64::new(0)));
    for writer in 0..WRITERS {
        let from = format!("1777{writer:07}");
        network.make_phone(&from).await?;
        let (network, numbers, turn) = (network.clone(), numbers.clone(), turn.clone());
        tasks.spawn(async move {
            loop {
                let next = usize::try_from(turn.fetch_add(1, Ordering::Relaxed))?;
                network.write(&from, &numbers[next % numbers.len()], "a text of usual length").await?;
            }
        });
    }
    measure(process, tasks, &ended).await
}

async fn measure(process: &Sandbox, mut tasks: JoinSet<Result<()>>, ended: &Ended) -> Result<Figures> {
    let both = async {
        tokio::time::sleep(WARM_UP).await;
        ended.take();
        let (began, before) = (Instant::now(), processor_time(process.pid())?);
        tokio::time::sleep(MEASURED).await;
        let (mut took, spent) = (ended.take(), processor_time(process.pid())? - before);
        anyhow::ensure!(!took.is_empty(), "no message went through");
        took.sort_unstable();
        let count = u32::try_from(took.len())?;
        Ok(Figures {
            per_s: f64::from(count) / began.elapsed().as_secs_f64(),
            p50: took[took.len() / 2],
            p99: took[took.len() * 99 / 100],
            processor_time: spent / count,
        })
    };
    // None of the tasks ends by itself.
    tokio::select! {
        figures = both => figures,
        Some(task) = tasks.join_next() => {
            task??;
            anyhow::bail!("the network closed a connection")
        }
    }
}

async fn send(mut device: Linked, to: Jid, sender: usize, ended: Ended) -> Result<()> {
    let chat = Jid::pn(to.user.as_str());
    let (mut under_way, mut number) = (HashMap::new(), 0_u64);
    loop {
        while under_way.len() < UNDER_WAY {
            let id = format!("3EB0{sender:08X}{number:08X}");
            number += 1;
            let enc = NodeBuilder::new("enc").attr("v", "2").attr("type", "msg").bytes(CIPHERTEXT.to_vec());
            let target = NodeBuilder::new("to").attr("jid", to.clone()).children([enc.build()]);
            let participants = NodeBuilder::new("participants").children([target.build()]).build();
            let message = NodeBuilder::new("message").attr("id", id.as_str()).attr("to", chat.clone());
            device.line.send(&message.attr("type", "text").children([participants]).build()).await?;
            under_way.insert(id, Instant::now());
        }
        let Some(node) = device.line.receive().await? else { return Ok(()) };
        if let Some(ack) = acknowledgement(&node) {
            device.line.send(&ack).await?;
        }
        if node.tag.as_ref() == "receipt"
            && let Some(began) = text(&node, "id").and_then(|id| under_way.remove(&id))
        {
            ended.note(began.elapsed());
        }
    }
}

/// Says of each message that it came. `acknowledged` hears how long it took until the network had that.
async fn answer(mut device: Linked, acknowledged: Option<Ended>) -> Result<()> {
    let mut said = HashMap::new();
    while let Some(node) = device.line.receive().await? {
        match (node.tag.as_ref(), text(&node, "id"), text(&node, "from")) {
            ("message", Some(id), Some(from)) => {
                let receipt = NodeBuilder::new("receipt").attr("id", id.as_str()).attr("to", from).build();
                device.line.send(&receipt).await?;
                said.insert(id, Instant::now());
            },
            ("ack", Some(id), _) => {
                if let (Some(began), Some(ended)) = (said.remove(&id), &acknowledged) {
                    ended.note(began.elapsed());
                }
            },
            _ => {
                if let Some(ack) = acknowledgement(&node) {
                    device.line.send(&ack).await?;
                }
            },
        }
    }
    Ok(())
}
