//! Messages both ways while something is disturbed again and again: nothing that was accepted is lost, and nothing is
//! done twice. The same code for every shape of the product.

#![expect(clippy::unwrap_used, reason = "what a test reads is there, or the test fails")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{Client, Receiver, eventually};

const OWNER: &str = "+15550001111";
const FRIENDS: [&str; 4] = ["+15550002221", "+15550002222", "+15550002223", "+15550002224"];

/// How much happens.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    /// Messages out, and as many in.
    pub messages: usize,
    /// How often something is disturbed meanwhile.
    pub disturbances: usize,
}

/// Where waxwing is at the moment; it moves with each restart.
type Place = watch::Receiver<Client>;

/// Repeats a request with its idempotency key until somebody answers.
async fn insist(place: &Place, path: &str, key: &str, body: &Value) -> Result<Value> {
    loop {
        let client = place.borrow().clone();
        match client.post_with(path, &[("idempotency-key", key)], body.clone()).await {
            Ok(answer) if answer.status == 202 => return Ok(answer.body),
            Ok(answer) if answer.status >= 500 => {},
            Ok(answer) => anyhow::bail!("{path}: {answer:?}"),
            Err(_) => {},
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Messages to the friends in turn, one after the other. What was accepted, by friend, in order.
async fn send_all(
    place: Place,
    session: String,
    count: usize,
    done: Arc<AtomicUsize>,
) -> Result<HashMap<String, Vec<(String, String)>>> {
    let mut accepted: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for number in 0..count {
        let friend = FRIENDS[number % FRIENDS.len()];
        let text = format!("out {number}");
        let body = json!({ "session_id": session, "to": friend, "type": "text", "text": text });
        let answer = insist(&place, "/messages", &format!("out-{number}"), &body).await?;
        let whatsapp_id = answer["whatsapp_id"].as_str().context("an id")?.to_owned();
        accepted.entry(friend.to_owned()).or_default().push((whatsapp_id, text));
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(accepted)
}

/// Messages from the friends in turn. Their WhatsApp ids.
async fn receive_all(place: Place, count: usize, done: Arc<AtomicUsize>) -> Result<BTreeSet<String>> {
    let mut sent = BTreeSet::new();
    for number in 0..count {
        let friend = FRIENDS[number % FRIENDS.len()];
        let body = json!({ "to": OWNER, "type": "text", "text": format!("in {number}") });
        let answer =
            insist(&place, &format!("/sandbox/phones/{friend}/messages"), &format!("in-{number}"), &body)
                .await?;
        sent.insert(answer["whatsapp_id"].as_str().context("an id")?.to_owned());
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(sent)
}

/// Sends and receives while `disturb` is called again and again; it says where waxwing is from then on.
pub async fn lose_nothing(
    client: Client,
    Amount { messages, disturbances }: Amount,
    mut disturb: impl AsyncFnMut(usize) -> Result<Client>,
) -> Result<()> {
    let receiver = Receiver::start().await?;
    let hook =
        client.post("/webhooks", json!({ "url": receiver.url(), "events": ["message.received"] })).await?;
    receiver.expect_secret(hook.body["secret"].as_str().context("a secret")?);
    for friend in FRIENDS {
        client.make_phone(friend).await?;
    }
    let session = client.connected_session("shop", OWNER).await?;
    let me = client.get(&format!("/sessions/{session}")).await?.body["me"].clone();

    let (moved, place) = watch::channel(client);
    let done = Arc::new(AtomicUsize::new(0));
    let out = tokio::spawn(send_all(place.clone(), session.clone(), messages, done.clone()));
    let inbound = tokio::spawn(receive_all(place.clone(), messages, done.clone()));
    // Each falls at its own point of the traffic, so that a fast machine is disturbed in the midst of it, too.
    for number in 0..disturbances {
        let threshold = 2 * messages * number / disturbances + 7 * number % 13;
        eventually("traffic", || async { Ok((done.load(Ordering::Relaxed) >= threshold).then_some(())) })
            .await?;
        moved.send_replace(disturb(number).await?);
    }
    let accepted = out.await??;
    let sent = inbound.await??;
    let client = place.borrow().clone();

    for (friend, wanted) in &accepted {
        let inbox = eventually(&format!("everything in the inbox of {friend}"), || async {
            let inbox = client.all(&format!("/sandbox/phones/{friend}/inbox")).await?;
            Ok((inbox.len() >= wanted.len()).then_some(inbox))
        })
        .await?;
        let got: Vec<(String, String)> = inbox
            .iter()
            .map(|entry| {
                (
                    entry["whatsapp_id"].as_str().unwrap().to_owned(),
                    entry["text"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        assert_eq!(&got, wanted, "each accepted message of {friend} is there once and in order");
    }
    let path = format!("/messages?session_id={session}&direction=in");
    let listed = eventually("every inbound message in the API", || async {
        let listed = client.all(&path).await?;
        Ok((listed.len() >= sent.len()).then_some(listed))
    })
    .await;
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => {
            let listed = client.all(&path).await?;
            let there: BTreeSet<&str> =
                listed.iter().filter_map(|message| message["whatsapp_id"].as_str()).collect();
            let ledger = client.all("/sandbox/ledger").await?;
            let lost = ledger.iter().filter(|entry| {
                let id = entry["whatsapp_id"].as_str().unwrap();
                sent.contains(id) && !there.contains(id)
            });
            let lost: Vec<String> = lost.map(Value::to_string).collect();
            return Err(error).with_context(|| format!("missing:\n{}", lost.join("\n")));
        },
    };
    let got: Vec<String> =
        listed.iter().map(|message| message["whatsapp_id"].as_str().unwrap().to_owned()).collect();
    let distinct: BTreeSet<String> = got.iter().cloned().collect();
    assert_eq!(got.len(), distinct.len(), "an inbound message is in the API once");
    assert_eq!(distinct, sent, "every inbound message is in the API");

    eventually("every inbound message at the receiver", || async {
        let told: BTreeSet<String> = receiver
            .received()
            .iter()
            .map(|hook| hook.body["data"]["whatsapp_id"].as_str().unwrap().to_owned())
            .collect();
        Ok((told.len() >= sent.len()).then_some(()))
    })
    .await?;
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for hook in receiver.received() {
        ids.entry(hook.body["data"]["whatsapp_id"].as_str().unwrap().to_owned()).or_default().insert(hook.id);
    }
    ensure!(ids.values().all(|ids| ids.len() == 1), "a message is always told under the same webhook-id");
    ensure!(receiver.refused().is_empty(), "{:?}", receiver.refused());
    let session = client.get(&format!("/sessions/{session}")).await?.body;
    ensure!(
        session["me"] == me && session["status"] == "connected",
        "nothing needed a new pairing: {session}"
    );
    eventually("no message is left queued", || async {
        Ok(client.all("/messages?status=queued").await?.is_empty().then_some(()))
    })
    .await
}
