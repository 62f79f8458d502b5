//! What became of everything that was accepted.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::Result;
use serde_json::Value;
use tokio::time::Instant;
use waxwing_tests_api::{Client, Receiver};

use crate::{report::Found, traffic::Line};

/// Waits until everything has arrived, or nothing has for the time `standstill`, and compares.
pub(crate) async fn judge(
    client: &Client,
    receiver: &Receiver,
    lines: &[Line],
    standstill: Duration,
) -> Result<Found> {
    let mut last = (Found::default(), Instant::now());
    loop {
        let found = match compare(client, receiver, lines).await {
            Ok(found) => found,
            // Whoever was just hurt may not answer yet.
            Err(error) if last.1.elapsed() < standstill => {
                eprintln!("not answered: {error:#}");
                tokio::time::sleep(Duration::from_secs(5)).await;
                continue;
            },
            Err(error) => return Err(error),
        };
        if found.is_well() || last.1.elapsed() > standstill {
            return Ok(found);
        }
        if found.missing() != last.0.missing() {
            eprintln!("still on their way: {}", found.missing());
            last = (found, Instant::now());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn compare(client: &Client, receiver: &Receiver, lines: &[Line]) -> Result<Found> {
    let mut found = Found::default();
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for hook in receiver.received() {
        let id = text(&hook.body["data"], "whatsapp_id");
        told.entry(id).or_default().insert(hook.id);
    }
    for line in lines {
        for (friend, sent) in &line.out {
            let inbox = client.all(&format!("/sandbox/phones/{friend}/inbox")).await?;
            found.out.look(sent, inbox.iter().map(|entry| text(entry, "whatsapp_id")));
        }
        let listed = client.all(&format!("/messages?session_id={}&direction=in", line.session)).await?;
        let ids: Vec<String> = listed.iter().map(|message| text(message, "whatsapp_id")).collect();
        for sent in line.inbound.values() {
            let theirs: BTreeSet<&String> = sent.iter().collect();
            found.inbound.look(sent, ids.iter().filter(|id| theirs.contains(id)).cloned());
            for id in sent {
                match told.get(id).map_or(0, BTreeSet::len) {
                    0 => found.untold += 1,
                    1 => {},
                    _ => found.told_anew += 1,
                }
            }
        }
        let session = client.get(&format!("/sessions/{}", line.session)).await?;
        found.disconnected += usize::from(session.body["status"] != "connected");
    }
    found.queued = client.all("/messages?status=queued").await?.len();
    found.refused = receiver.refused().len();
    Ok(found)
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
