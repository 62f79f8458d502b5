//! How much an account used, for its people and for the operator.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use waxwing_tests_api::{Client, Waxwing, eventually};

use crate::{
    auth::{PASSWORD, is, text},
    members::{member, owner, signed_in},
};

const OWNER: &str = "+15550001111";
const FRIEND: &str = "+15550002222";
/// Far more than the limit of a minute, also where a request is slow.
const REQUESTS_MAX: usize = 2_000;

async fn sent(client: &Client, session: &str, count: usize) -> Result<()> {
    for number in 0..count {
        let body =
            json!({ "session_id": session, "to": FRIEND, "type": "text", "text": format!("{number}") });
        let answer = client.post("/messages", body).await?;
        ensure!(answer.status == 202, "{answer:?}");
    }
    Ok(())
}

async fn received(client: &Client, count: usize) -> Result<()> {
    for number in 0..count {
        let body = json!({ "to": OWNER, "type": "text", "text": format!("in {number}") });
        let answer = client.post(&format!("/sandbox/phones/{FRIEND}/messages"), body).await?;
        ensure!(answer.status == 202, "{answer:?}");
    }
    Ok(())
}

/// In all, since a day may end meanwhile: out, in, and how often a session was active on a day.
fn sums(usage: &Value) -> (u64, u64, u64) {
    let sum = |field: &str| {
        usage["data"].as_array().into_iter().flatten().filter_map(|day| day[field].as_u64()).sum()
    };
    (sum("messages_out"), sum("messages_in"), sum("active_sessions"))
}

async fn used(client: &Client, path: &str, out: u64, inward: u64) -> Result<Value> {
    eventually(&format!("{out} out and {inward} in"), async || {
        let usage = client.get(path).await?;
        ensure!(usage.status == 200 && usage.body["complete"] == true, "{usage:?}");
        let (counted_out, counted_in, _) = sums(&usage.body);
        ensure!(counted_out <= out && counted_in <= inward, "too many: {usage:?}");
        let is_right = (counted_out, counted_in) == (out, inward);
        if !is_right {
            // There are only so many requests in a minute.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(is_right.then_some(usage.body))
    })
    .await
}

#[tokio::test]
async fn messages_and_active_sessions_are_counted_exactly_also_after_the_feed_repeated_itself() -> Result<()>
{
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let ada = owner(&operator, "ada@example.com").await?;
    let account = ada.get("/me").await?.body["account"]["id"].as_str().context("an account")?.to_owned();
    let session = ada.connected_session("shop", OWNER).await?;
    ada.post("/sessions", json!({ "name": "idle", "start": false })).await?;
    ada.make_phone(FRIEND).await?;
    let by_operator = format!("/admin/accounts/{account}/usage");
    used(&ada, "/usage", 0, 0).await?;
    sent(&ada, &session, 7).await?;
    received(&ada, 4).await?;
    let usage = used(&ada, "/usage", 7, 4).await?;
    ensure!(usage["data"].as_array().is_some_and(|days| days.len() == 7), "a week: {usage}");
    ensure!((1..=2).contains(&sums(&usage).2), "one session, and a midnight at most: {usage}");
    used(&operator, &by_operator, 7, 4).await?;
    used(&operator, "/usage", 0, 0).await?;
    // Each message got receipts, which are commits and no messages.
    let delivered = async || {
        let all = ada.all("/messages?direction=out").await?;
        Ok(all.iter().all(|message| message["status"] == "delivered").then_some(()))
    };
    eventually("all receipts", delivered).await?;
    used(&ada, "/usage", 7, 4).await?;
    let viewer = member(&operator, &ada, "eve@example.com", "viewer").await?;
    used(&viewer, "/usage", 7, 4).await?;
    let bound = json!({ "name": "b", "mode": "test", "scopes": ["*"], "session_ids": [session] });
    let bound = operator.with_key(text(&ada.post("/api-keys", bound).await?, "key")?);
    is(&bound.get("/usage").await?, 403, "forbidden")?;
    is(&ada.get(&by_operator).await?, 403, "forbidden")?;
    is(&operator.get("/admin/accounts/acc_00000000000000000000000000/usage").await?, 404, "not_found")?;
    for wrong in ["from=2026-02-30", "to=2999-01-01", "from=2020-01-01", "days=3"] {
        is(&ada.get(&format!("/usage?{wrong}")).await?, 422, "validation_failed")?;
    }
    let old = ada.get("/usage?from=2021-03-01&to=2021-05-31").await?;
    ensure!(old.body["data"].as_array().is_some_and(|days| days.len() == 92), "{old:?}");
    ensure!(sums(&old.body) == (0, 0, 0) && old.body["complete"] == true, "{old:?}");

    // Each request may cost much, so there are few of them; the operator's count for the operator.
    let mut refused = None;
    for number in 0..REQUESTS_MAX {
        let path = if number % 2 == 0 { &*by_operator } else { "/usage" };
        let answer = operator.get(path).await?;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    is(&refused.context("a limit")?, 429, "rate_limited")?;
    ensure!(ada.get("/usage").await?.status == 200, "another account's requests");

    // A killed process handles commits again that it had handled, and more of them when it was killed in the midst of it.
    sent(&ada, &session, 20).await?;
    received(&ada, 3).await?;
    waxwing.kill()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let again = waxwing.client()?;
    let key = signed_in(&again, "ada@example.com", PASSWORD).await?;
    sent(&key, &session, 1).await?;
    used(&key, "/usage", 28, 7).await?;
    used(&again, &by_operator, 28, 7).await?;
    waxwing.stop().await.map(drop)
}
