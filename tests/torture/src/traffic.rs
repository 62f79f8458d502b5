//! One session and the people who write with it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, bail};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};
use waxwing_tests_api::Client;

const FRIENDS: usize = 3;
const PAUSE_MS: std::ops::Range<u64> = 200..3_000;

/// A session with its people, and what was accepted.
pub(crate) struct Line {
    pub(crate) session: String,
    number: usize,
    owner: String,
    /// WhatsApp ids of messages to each friend, in the order of their acceptance.
    pub(crate) out: BTreeMap<String, Vec<String>>,
    /// The same from each friend.
    pub(crate) inbound: BTreeMap<String, Vec<String>>,
}

impl Line {
    /// Links a session, and makes its people.
    pub(crate) async fn open(client: &Client, number: usize) -> Result<Self> {
        let owner = format!("+1555{number:05}00");
        let session = client.connected_session(&format!("line {number}"), &owner).await?;
        let (mut out, mut inbound) = (BTreeMap::new(), BTreeMap::new());
        for friend in 1..=FRIENDS {
            let friend = format!("+1555{number:05}0{friend}");
            client.make_phone(&friend).await?;
            out.insert(friend.clone(), Vec::new());
            inbound.insert(friend, Vec::new());
        }
        Ok(Self { session, number, owner, out, inbound })
    }

    /// Writes both ways until the time is over.
    pub(crate) async fn speak(
        mut self,
        place: watch::Receiver<Client>,
        seed: u64,
        until: Instant,
    ) -> Result<Self> {
        let mut random = StdRng::seed_from_u64(seed ^ (self.number as u64 + 1).rotate_left(32));
        let friends: Vec<String> = self.out.keys().cloned().collect();
        for turn in 0_u64.. {
            let pause = Duration::from_millis(random.random_range(PAUSE_MS));
            let (friend, goes_out) =
                (&friends[random.random_range(0..friends.len())], random.random::<bool>());
            if Instant::now() + pause > until {
                break;
            }
            tokio::time::sleep(pause).await;
            let key = format!("{}-{turn}", self.number);
            let text = format!("line {} turn {turn}", self.number);
            let (path, body, said) = match goes_out {
                true => {
                    let body =
                        json!({ "session_id": self.session, "to": friend, "type": "text", "text": text });
                    ("/messages".to_owned(), body, &mut self.out)
                },
                false => {
                    let body = json!({ "to": self.owner, "type": "text", "text": text });
                    (format!("/sandbox/phones/{friend}/messages"), body, &mut self.inbound)
                },
            };
            let id = insist(&place, &path, &key, &body).await?;
            said.entry(friend.clone()).or_default().push(id);
        }
        Ok(self)
    }
}

/// Repeats a request with its idempotency key until somebody accepts it.
async fn insist(place: &watch::Receiver<Client>, path: &str, key: &str, body: &Value) -> Result<String> {
    loop {
        let client = place.borrow().clone();
        match client.post_with(path, &[("idempotency-key", key)], body.clone()).await {
            Ok(answer) if answer.status == 202 => {
                return answer.body["whatsapp_id"].as_str().map(str::to_owned).context("an id");
            },
            Ok(answer) if answer.status < 500 && !matches!(answer.status, 409 | 429) => {
                bail!("{path}: {answer:?}")
            },
            // It is away, busy, or its disk is full: what has the same key is done once.
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
