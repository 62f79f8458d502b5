//! Who changed what, and that it can be told from outside.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use waxwing_tests_api::{Client, Waxwing, eventually};

use crate::auth::{is, login, stranger, text, verified};

async fn entries(client: &Client, query: &str, count: usize) -> Result<Vec<Value>> {
    eventually("the entries", async || {
        let log = client.get(&format!("/audit-log?{query}")).await?;
        ensure!(log.status == 200, "{log:?}");
        let data = log.body["data"].as_array().context("data")?;
        Ok((data.len() >= count).then(|| data.clone()))
    })
    .await
}

#[tokio::test]
async fn a_change_is_told_with_actor_address_before_and_after() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let key = json!({ "name": "server", "mode": "test", "scopes": ["sessions:write", "sessions:read"] });
    let made = client.post("/api-keys", key).await?;
    let server = client.with_key(text(&made, "key")?);
    let session = server.post("/sessions", json!({ "name": "shop", "start": false })).await?;
    let path = format!("/sessions/{}", text(&session, "id")?);
    let patched = server.patch(&path, json!({ "settings": { "always_online": true } })).await?;
    ensure!(patched.status == 200, "{patched:?}");

    let id = text(&session, "id")?;
    let about = entries(&client, &format!("resource={id}"), 2).await?;
    let change = about.iter().find(|entry| entry["types"] == json!(["session.settings_changed"]));
    let change = change.with_context(|| format!("{about:?}"))?;
    ensure!(change["actor"] == made.body["id"] && change["address"] == "127.0.0.1", "{change}");
    ensure!(change["request_id"].as_str().is_some_and(|id| id.starts_with("req_")), "{change}");
    let settings = &change["changes"]["settings"];
    ensure!(
        settings["before"]["always_online"] != true && settings["after"]["always_online"] == true,
        "{change}"
    );
    ensure!(change["changes"].as_object().is_some_and(|changes| changes.len() == 1), "only that: {change}");
    let by = entries(&client, &format!("actor={}&limit=1", text(&made, "id")?), 1).await?;
    ensure!(by.len() == 1 && by[0] == *change, "newest first: {by:?}");

    let all = entries(&client, "", 3).await?;
    let secret = text(&made, "key")?.rsplit('_').next().context("a secret")?;
    ensure!(!json!(all).to_string().contains(&secret[12..]), "no secret: {all:?}");
    is(&server.get("/audit-log").await?, 403, "forbidden")?;
    verified(&client, "eve@example.com").await?;
    let tokens = login(&client, "eve@example.com", crate::auth::PASSWORD).await?;
    let eve = client.with_key(text(&tokens, "access_token")?);
    let hers = entries(&eve, "", 1).await?;
    ensure!(hers.iter().all(|entry| entry["resource"] != id), "an account sees its own: {hers:?}");
    is(&stranger(&client).get("/audit-log").await?, 401, "unauthorized")?;
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn the_log_is_paged_and_says_what_it_cannot_read() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    for number in 0..5 {
        let body = json!({ "name": format!("s{number}"), "start": false });
        ensure!(client.post("/sessions", body).await?.status == 201);
    }
    // Entries come in the order of what they tell of: with the last, all are there.
    eventually("the last entry", || async {
        let page = client.get("/audit-log?limit=200").await?;
        Ok(page.body["data"].to_string().contains("\"s4\"").then_some(()))
    })
    .await?;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/audit-log?limit=2{cursor}")).await?;
        let data = page.body["data"].as_array().context("data")?;
        ensure!(data.len() <= 2, "{page:?}");
        seen.extend(data.iter().map(|entry| entry.to_string()));
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let whole = client.get("/audit-log?limit=200").await?;
    ensure!(whole.body["data"].as_array().is_some_and(|data| data.len() == seen.len()), "{seen:?}");
    seen.dedup();
    ensure!(seen.len() >= 6, "five sessions and the first account: {seen:?}");
    let wrong = client.get("/audit-log?limit=0").await?;
    ensure!(wrong.status == 422 && wrong.body["errors"][0]["pointer"] == "/query/limit", "{wrong:?}");
    waxwing.stop().await.map(drop)
}
