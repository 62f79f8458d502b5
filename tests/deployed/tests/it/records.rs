//! The journal's stream repeats itself, comes out of order, and brings what nobody can read.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use waxwing_tests_api::{Client, Receiver, eventually};
use waxwing_tests_deployed::{emulator, stack::Stack};

use crate::shared::{QUIET, REFEED, stack};

const OWNER: &str = "+15550001111";
const FRIEND: &str = "+15550002222";
const MESSAGES: usize = 10;

/// The account's commits as the journal's table has them.
async fn commits(stack: &Stack, client: &Client) -> Result<Vec<Value>> {
    let request = json!({
        "TableName": table(stack)?,
        "FilterExpression": "begins_with(pk, :account)",
        "ExpressionAttributeValues": { ":account": { "S": client.account_id() } },
    });
    let found = emulator::call(stack, "DynamoDB_20120810.Scan", &request).await?;
    found["Items"].as_array().cloned().context("items")
}

fn table(stack: &Stack) -> Result<String> {
    let setting = stack.environment()?.into_iter().find(|(name, _)| name == "WAXWING_JOURNAL_TABLE");
    Ok(setting.context("the journal's table")?.1)
}

/// As Lambda calls a function with them.
fn event<'a>(commits: impl IntoIterator<Item = &'a Value>) -> Value {
    let record = |(number, commit): (usize, &Value)| {
        json!({
            "eventID": number.to_string(), "eventName": "INSERT", "eventSource": "aws:dynamodb",
            "dynamodb": { "SequenceNumber": format!("{}", 1_000 + number), "NewImage": commit },
        })
    };
    json!({ "Records": commits.into_iter().enumerate().map(record).collect::<Vec<_>>() })
}

/// What the outside world has seen.
#[derive(Debug, PartialEq)]
struct Seen {
    inbox: Vec<Value>,
    ledger: Vec<Value>,
    messages: Vec<Value>,
    webhooks: BTreeMap<String, Value>,
}

async fn seen(client: &Client, receiver: &Receiver) -> Result<Seen> {
    Ok(Seen {
        inbox: client.all(&format!("/sandbox/phones/{FRIEND}/inbox")).await?,
        ledger: client.all("/sandbox/ledger").await?,
        messages: client.all("/messages").await?,
        webhooks: receiver.received().into_iter().map(|hook| (hook.id, hook.body)).collect(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_come_again_and_out_of_order_have_one_effect() -> Result<()> {
    let _quiet = QUIET.read().await;
    let stack = stack().await?;
    let client = stack.tenant("again")?;
    let receiver = Receiver::start().await?;
    let hook = client.post("/webhooks", json!({ "url": receiver.url(), "events": ["*"] })).await?;
    receiver.expect_secret(hook.body["secret"].as_str().context("a secret")?);
    client.make_phone(FRIEND).await?;
    let session = client.connected_session("shop", OWNER).await?;
    for number in 0..MESSAGES {
        let text = format!("out {number}");
        let body = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": text });
        ensure!(client.post("/messages", body).await?.status == 202, "{number}");
        let body = json!({ "to": OWNER, "type": "text", "text": format!("in {number}") });
        let sent = client.post(&format!("/sandbox/phones/{FRIEND}/messages"), body).await?;
        ensure!(sent.status == 202, "{sent:?}");
    }
    eventually("all of it", || async {
        let delivered = client.all("/messages?status=delivered").await?.len() == 2 * MESSAGES;
        // Of a message out: queued, sent, delivered; of one in: received.
        let told: BTreeSet<String> = receiver.received().into_iter().map(|hook| hook.id).collect();
        Ok((delivered && told.len() >= 4 * MESSAGES).then_some(()))
    })
    .await?;
    // What the session itself did is told, too.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = seen(&client, &receiver).await?;

    let mut commits = commits(stack, &client).await?;
    ensure!(commits.len() > 4 * MESSAGES, "{}", commits.len());
    let told = receiver.count();
    for function in ["DeliveryFunction", "ProjectorFunction"] {
        let backwards = event(commits.iter().rev().chain(commits.iter().rev()));
        ensure!(emulator::invoke(stack, function, &backwards).await? == json!({ "batchItemFailures": [] }));
        // By time instead of by stream.
        commits.sort_by_key(|commit| commit["ms"]["N"].as_str().map(str::to_owned));
        for some in commits.chunks(7) {
            let failures = emulator::invoke(stack, function, &event(some)).await?;
            ensure!(failures == json!({ "batchItemFailures": [] }), "{failures}");
        }
    }
    // Receivers are told again, as promised under the same ids, so that it can be seen that all went through.
    eventually("webhooks again", || async { Ok((receiver.count() >= 2 * told).then_some(())) }).await?;
    // A message that a replay put back into the outbox is gone by the next look of the host.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(seen(&client, &receiver).await?, before);
    ensure!(receiver.refused().is_empty(), "{:?}", receiver.refused());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_cannot_be_read_is_named_and_holds_up_nothing_before_it() -> Result<()> {
    let _quiet = QUIET.read().await;
    let stack = stack().await?;
    let client = stack.tenant("unreadable")?;
    let commits = commits(stack, &client).await?;
    let unreadable = json!({ "pk": { "S": "nothing of ours" }, "v": { "N": "1" } });
    let batch = event([&commits[0], &unreadable, &commits[0]]);
    for function in ["DeliveryFunction", "ProjectorFunction"] {
        let failures = emulator::invoke(stack, function, &batch).await?;
        assert_eq!(failures, json!({ "batchItemFailures": [{ "itemIdentifier": "1001" }] }), "{function}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_nobody_can_handle_is_put_aside_and_named_and_the_rest_goes_on() -> Result<()> {
    let _quiet = QUIET.read().await;
    let stack = stack().await?;
    let client = stack.tenant("poison")?;
    client.make_phone(FRIEND).await?;
    let session = client.connected_session("shop", OWNER).await?;
    let send = async |text: &str| -> Result<String> {
        let body = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": text });
        let sent = client.post("/messages", body).await?;
        ensure!(sent.status == 202, "{sent:?}");
        Ok(sent.body["id"].as_str().context("an id")?.to_owned())
    };
    let inbox = async |wanted: usize| {
        eventually("the inbox", async || {
            let inbox = client.all(&format!("/sandbox/phones/{FRIEND}/inbox")).await?;
            Ok((inbox.len() == wanted).then_some(()))
        })
        .await
    };
    let before = send("before").await?;
    inbox(1).await?;
    // The commit of a message that was damaged on its way into the table.
    let good = commits(stack, &client).await?.into_iter().find(|commit| {
        commit["pk"]["S"].as_str().is_some_and(|key| key.ends_with(&before)) && commit["v"]["N"] == "1"
    });
    let mut poison = good.context("the commit of the message")?;
    let name = "message/msg_01KB0000000000000000000000";
    poison["pk"]["S"] = json!(format!("{}/{name}", client.account_id()));
    poison["p"]["B"] = json!("bm90IGVuY3J5cHRlZA==");
    let request = json!({ "TableName": table(stack)?, "Item": poison });
    emulator::call(stack, "DynamoDB_20120810.PutItem", &request).await?;
    send("after").await?;
    inbox(2).await?;

    // An operator sees which one, and for which consumers, and brings it again once it is mended.
    let at_ms: i64 = poison["ms"]["N"].as_str().context("a time")?.parse()?;
    let _one = REFEED.lock().await;
    let since = jiff::Timestamp::from_millisecond(at_ms - 1)?.to_string();
    let report = async || -> Result<Value> {
        let ended = stack.admin(&["refeed", "--since", &since])?;
        ensure!(ended.status.code() == Some(3), "{}", String::from_utf8_lossy(&ended.stderr));
        Ok(serde_json::from_slice(&ended.stdout)?)
    };
    let aside = eventually("both consumers to put it aside", async || {
        let report = report().await?;
        let aside = report["still_parked"].as_array().cloned().unwrap_or_default();
        let ours = aside.into_iter().filter(|parked| parked["account"] == client.account_id());
        let ours: Vec<Value> = ours.collect();
        Ok((ours.len() >= 2).then_some(ours))
    })
    .await?;
    let consumers: BTreeSet<&str> = aside.iter().filter_map(|parked| parked["consumer"].as_str()).collect();
    assert_eq!(consumers, BTreeSet::from(["delivery", "messages"]));
    ensure!(aside.iter().all(|parked| parked["stream"] == name), "{aside:?}");
    inbox(2).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_nobody_can_do_is_listed_with_its_reason_and_put_back_on_demand() -> Result<()> {
    let _quiet = QUIET.read().await;
    let stack = stack().await?;
    let queue = stack.environment()?.into_iter().find(|(name, _)| name == "WAXWING_WEBHOOKS_QUEUE_URL");
    let id = "dlv_of_nobody";
    let body = json!({ "id": id, "payload": "nothing that says a delivery", "attempts": 0 }).to_string();
    let request = json!({ "QueueUrl": queue.context("the queue")?.1, "MessageBody": body });
    emulator::call(stack, "AmazonSQS.SendMessage", &request).await?;
    let dead = async || -> Result<Option<Value>> {
        let ended = stack.admin(&["dead", "list", "webhooks"])?;
        ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let dead: Vec<Value> = serde_json::from_slice(&ended.stdout)?;
        Ok(dead.into_iter().find(|letter| letter["id"] == id))
    };
    let letter = eventually("the dead letter", dead).await?;
    ensure!(letter["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{letter}");
    let ended = stack.admin(&["dead", "redrive", "webhooks", id])?;
    ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    // It is tried again, and given up again.
    let again = eventually("the dead letter again", dead).await?;
    ensure!(again["at"] != letter["at"], "{again}");
    Ok(())
}
