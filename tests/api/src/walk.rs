//! The walk of the README: a message out, a message in, a signed webhook for both. The same code for every shape of the
//! product: each takes a client of an account in which nothing is yet.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{Client, Receiver, eventually};

const OWNER: &str = "+15550001111";
const FRIEND: &str = "+15550002222";

async fn subscribed(client: &Client) -> Result<Receiver> {
    let receiver = Receiver::start().await?;
    let made = client.post("/webhooks", json!({ "url": receiver.url(), "events": ["*"] })).await?;
    ensure!(made.status == 201, "{made:?}");
    receiver.expect_secret(made.body["secret"].as_str().context("a secret")?);
    Ok(receiver)
}

async fn webhook(receiver: &Receiver, what: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
    eventually(what, || async {
        Ok(receiver.received().into_iter().map(|hook| hook.body).find(|body| fits(body)))
    })
    .await
}

/// A text goes out; its way is told in the timeline and by webhooks.
pub async fn text_out(client: &Client) -> Result<()> {
    let receiver = subscribed(client).await?;
    let session = client.connected_session("shop", OWNER).await?;
    client.make_phone(FRIEND).await?;
    let behaviour =
        client.put(&format!("/sandbox/phones/{FRIEND}/behaviour"), json!({ "read_after_ms": 0 })).await?;
    ensure!(behaviour.status == 200, "{behaviour:?}");

    let body = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "Hello from Waxwing", "metadata": { "order": 7 } });
    let trace = [("traceparent", "00-5759e988bd862e3fe1be46a994272793-00f067aa0ba902b7-01")];
    let sent = client.post_with("/messages", &trace, body).await?;
    ensure!(sent.status == 202, "{sent:?}");
    ensure!(sent.body["status"] == "queued" && sent.body["to"]["phone"] == FRIEND, "{sent:?}");
    let id = sent.body["id"].as_str().context("an id")?.to_owned();

    let inbox = eventually("the message in the inbox", || async {
        let inbox = client.all(&format!("/sandbox/phones/{FRIEND}/inbox")).await?;
        Ok((!inbox.is_empty()).then_some(inbox))
    })
    .await?;
    ensure!(
        inbox.len() == 1 && inbox[0]["text"] == "Hello from Waxwing" && inbox[0]["type"] == "text",
        "{inbox:?}"
    );
    ensure!(inbox[0]["whatsapp_id"] == sent.body["whatsapp_id"], "{inbox:?}");

    let message = eventually("the message read", || async {
        let message = client.get(&format!("/messages/{id}")).await?;
        Ok((message.body["status"] == "read").then_some(message.body))
    })
    .await?;
    for time in ["sent_at", "delivered_at", "read_at"] {
        ensure!(message[time].is_string(), "{time} in {message}");
    }
    let timeline = eventually("the whole timeline", || async {
        let timeline = client.get(&format!("/messages/{id}/timeline")).await?;
        let steps: Vec<Value> = timeline.body["data"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| entry["status"].clone())
            .collect();
        Ok((steps.len() == 4).then_some(steps))
    })
    .await?;
    assert_eq!(timeline[0], "queued");
    for step in ["queued", "sent", "delivered", "read"] {
        ensure!(timeline.contains(&json!(step)), "{step} in {timeline:?}");
        let told = webhook(&receiver, step, |body| {
            body["type"] == "message.status"
                && body["data"]["message_id"] == id
                && body["data"]["status"] == step
        })
        .await?;
        ensure!(told["session_id"] == session && told["data"]["metadata"]["order"] == 7, "{told}");
        ensure!(told["account_id"] == client.account_id(), "{told}");
        if matches!(step, "delivered" | "read") {
            ensure!(
                told["data"]["recipient"]["phone"] == FRIEND && told["data"]["recipient"]["lid"].is_string(),
                "{told}"
            );
        }
    }
    ensure!(receiver.refused().is_empty(), "{:?}", receiver.refused());
    // The caller's trace goes on at the receiver.
    let traced = receiver.received().into_iter().find(|hook| hook.body["data"]["status"] == "queued");
    let traceparent = traced.and_then(|hook| hook.traceparent).context("a trace")?;
    ensure!(traceparent.starts_with("00-5759e988bd862e3fe1be46a994272793-"), "{traceparent}");
    Ok(())
}

/// A text comes in, and is told in the API and by a webhook.
pub async fn text_in(client: &Client) -> Result<()> {
    let receiver = subscribed(client).await?;
    let session = client.connected_session("shop", OWNER).await?;
    client.make_phone(FRIEND).await?;

    let body = json!({ "to": OWNER, "type": "text", "text": "Is my table ready?" });
    let sent = client.post(&format!("/sandbox/phones/{FRIEND}/messages"), body).await?;
    ensure!(sent.status == 202, "{sent:?}");
    let told = webhook(&receiver, "message.received", |body| body["type"] == "message.received").await?;
    let message = &told["data"];
    ensure!(message["text"] == "Is my table ready?" && message["direction"] == "in", "{told}");
    ensure!(message["origin"] == "contact" && message["from"]["phone"] == FRIEND, "{told}");
    ensure!(message["chat"]["jid"] == "15550002222@s.whatsapp.net", "{told}");
    ensure!(message["to"]["phone"] == OWNER && message["session_id"] == session, "{told}");

    let id = message["id"].as_str().context("an id")?;
    let read = client.get(&format!("/messages/{id}")).await?;
    ensure!(read.body["text"] == "Is my table ready?", "{read:?}");
    for filter in
        [format!("session_id={session}"), "chat=%2B15550002222".to_owned(), "direction=in".to_owned()]
    {
        let listed = eventually("the message in the list", || async {
            let listed = client.all(&format!("/messages?{filter}")).await?;
            Ok((!listed.is_empty()).then_some(listed))
        })
        .await?;
        ensure!(listed.len() == 1 && listed[0]["id"] == id, "{filter}: {listed:?}");
    }
    ensure!(client.all("/messages?direction=out").await?.is_empty());

    // An answer goes to the same chat, which the number and the hidden user do not split.
    let answer = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "It is." });
    ensure!(client.post("/messages", answer).await?.status == 202);
    let chat = eventually("both in the chat", || async {
        let chat = client.all("/messages?chat=15550002222@s.whatsapp.net").await?;
        Ok((chat.len() == 2).then_some(chat))
    })
    .await?;
    ensure!(chat[0]["direction"] == "in" && chat[1]["direction"] == "out", "{chat:?}");
    Ok(())
}

/// A message that the owner's phone sends is told as such.
pub async fn from_the_owners_phone(client: &Client) -> Result<()> {
    let receiver = subscribed(client).await?;
    client.connected_session("shop", OWNER).await?;
    client.make_phone(FRIEND).await?;

    let body = json!({ "to": FRIEND, "type": "text", "text": "From my own phone" });
    ensure!(client.post(&format!("/sandbox/phones/{OWNER}/messages"), body).await?.status == 202);
    let told =
        webhook(&receiver, "message.sent_from_phone", |body| body["type"] == "message.sent_from_phone")
            .await?;
    let message = &told["data"];
    ensure!(message["direction"] == "out" && message["origin"] == "phone", "{told}");
    ensure!(message["text"] == "From my own phone" && message["chat"]["phone"] == FRIEND, "{told}");
    ensure!(message["from"]["phone"] == OWNER && message["to"]["phone"] == FRIEND, "{told}");
    Ok(())
}

/// A repeated request has one effect.
pub async fn repeated_request(client: &Client) -> Result<()> {
    let made = client.post_with("/sessions", &[("idempotency-key", "s1")], json!({ "name": "shop" })).await?;
    let again =
        client.post_with("/sessions", &[("idempotency-key", "s1")], json!({ "name": "shop" })).await?;
    ensure!(made.status == 201 && again.status == 201 && made.body == again.body, "{made:?} {again:?}");
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let session = &made.body["id"];

    let body = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "once" });
    let key = [("idempotency-key", "m1")];
    let sends = (0..8).map(|_| client.post_with("/messages", &key, body.clone()));
    let mut ids = std::collections::BTreeSet::new();
    let mut first = 0;
    for answer in futures_join(sends).await {
        let answer = answer?;
        ensure!(answer.status == 202, "{answer:?}");
        ids.insert(answer.body["id"].as_str().context("an id")?.to_owned());
        first += usize::from(!answer.headers.contains_key("idempotent-replayed"));
    }
    ensure!(ids.len() == 1 && first == 1, "{ids:?}, {first} first answers");
    let other = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "another" });
    let conflict = client.post_with("/messages", &key, other).await?;
    ensure!(conflict.status == 409 && conflict.body["code"] == "idempotency_conflict", "{conflict:?}");

    let hook = json!({ "url": "http://127.0.0.1:9/", "events": ["message.received"] });
    let made = client.post_with("/webhooks", &[("idempotency-key", "w1")], hook.clone()).await?;
    let again = client.post_with("/webhooks", &[("idempotency-key", "w1")], hook).await?;
    ensure!(made.body["secret"].is_string() && again.body.get("secret").is_none(), "{again:?}");
    ensure!(made.body["id"] == again.body["id"]);
    Ok(())
}

/// Runs them side by side.
async fn futures_join<T: Send + 'static>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut done = Vec::new();
    let mut pending: Vec<_> = all.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        pending.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(value) => {
                done.push(value);
                false
            },
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}
