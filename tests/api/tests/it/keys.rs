//! API keys, from the first to the last request.

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use waxwing_tests_api::{Answer, Client, Waxwing, eventually};

fn is(answer: &Answer, status: u16, code: &str) -> Result<()> {
    ensure!(answer.status == status && answer.body["code"] == code, "expected {status} {code}: {answer:?}");
    Ok(())
}

async fn made(client: &Client, changes: Value) -> Result<Answer> {
    let mut body = json!({ "name": "shop", "mode": "test", "scopes": ["sessions:read"] });
    let fields = changes.as_object().context("fields")?.clone();
    body.as_object_mut().context("a body")?.extend(fields);
    client.post("/api-keys", body).await
}

async fn key_with(client: &Client, changes: Value) -> Result<(Client, String)> {
    let answer = made(client, changes).await?;
    ensure!(answer.status == 201, "{answer:?}");
    let text = |field: &str| answer.body[field].as_str().context("a text").map(str::to_owned);
    Ok((client.with_key(&text("key")?), text("id")?))
}

#[tokio::test]
async fn a_key_lives_from_its_making_to_its_deletion() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let admin = waxwing.client()?;
    let answer = made(&admin, json!({ "rate_limit_per_min": 100 })).await?;
    let key = answer.body["key"].as_str().context("a key")?;
    ensure!(answer.status == 201 && key.starts_with("wx_test_") && key.len() >= 8 + 16 + 32, "{answer:?}");
    let id = answer.body["id"].as_str().context("an id")?;
    let client = admin.with_key(key);
    ensure!(client.get("/sessions").await?.status == 200);
    let me = client.get("/me").await?;
    ensure!(me.body["api_key"]["id"] == id && me.body["api_key"]["name"] == "shop", "{me:?}");
    is(&client.post("/sessions", json!({ "name": "shop" })).await?, 403, "forbidden")?;
    is(&client.get("/api-keys").await?, 403, "forbidden")?;

    let listed = admin.all("/api-keys").await?;
    let mine = listed.iter().find(|listed| listed["id"] == id).context("the key in the list")?;
    ensure!(mine["key"] == Value::Null && !json!(listed).to_string().contains(key), "shown once");
    ensure!(mine["rate_limit_per_min"] == 100 && mine["mode"] == "test", "{mine}");
    ensure!(key.starts_with(mine["prefix"].as_str().context("a prefix")?));
    eventually("the first key in the list", || async {
        Ok((admin.all("/api-keys").await?.len() == 2).then_some(()))
    })
    .await?;

    let rotate = format!("/api-keys/{id}/rotate");
    let rotated = admin.post(&rotate, json!({})).await?;
    let second = admin.with_key(rotated.body["key"].as_str().context("a key")?);
    ensure!(rotated.status == 200 && rotated.body["id"] == id, "{rotated:?}");
    for client in [&client, &second] {
        ensure!(client.get("/sessions").await?.status == 200, "both work for a while");
    }
    let rotated = admin.post(&rotate, json!({ "overlap_s": 0 })).await?;
    let third = admin.with_key(rotated.body["key"].as_str().context("a key")?);
    is(&client.get("/sessions").await?, 401, "unauthorized")?;
    is(&second.get("/sessions").await?, 401, "unauthorized")?;
    ensure!(third.get("/sessions").await?.status == 200);
    let wrong = admin.post(&rotate, json!({ "overlap_s": 604_801 })).await?;
    ensure!(wrong.status == 422 && wrong.body["errors"][0]["pointer"] == "/overlap_s", "{wrong:?}");

    let path = format!("/api/v1/api-keys/{id}");
    ensure!(admin.raw(Method::DELETE, &path, &[], None).await?.status == 204);
    is(&third.get("/sessions").await?, 401, "unauthorized")?;
    for answer in [
        admin.raw(Method::GET, &path, &[], None).await?,
        admin.raw(Method::DELETE, &path, &[], None).await?,
        admin.post(&rotate, json!({})).await?,
    ] {
        is(&answer, 404, "not_found")?;
    }
    ensure!(admin.all("/api-keys").await?.iter().all(|listed| listed["id"] != id));
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn what_is_wrong_with_a_key_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let admin = waxwing.client()?;
    for (field, value, pointer) in [
        ("name", json!(""), "/name"),
        ("mode", json!("both"), "/mode"),
        ("scopes", json!([]), "/scopes"),
        ("scopes", json!(["sessions:read", "cars:drive"]), "/scopes/1"),
        ("session_ids", json!(["shop"]), "/session_ids/0"),
        ("ip_allow_list", json!([]), "/ip_allow_list"),
        ("ip_allow_list", json!(["203.0.113.0/24", "203.0.113.0/33"]), "/ip_allow_list/1"),
        ("ip_allow_list", json!(["2001:db8::/129"]), "/ip_allow_list/0"),
        ("expires_at", json!("2001-01-01T00:00:00Z"), "/expires_at"),
        ("expires_at", json!("tomorrow"), "/expires_at"),
        ("rate_limit_per_min", json!(0), "/rate_limit_per_min"),
        ("rate_limit_per_min", json!(-1), "/rate_limit_per_min"),
        ("key", json!("wx_test_mine"), "/key"),
    ] {
        let answer = made(&admin, json!({ field: value })).await?;
        ensure!(answer.status == 422 && answer.body["code"] == "validation_failed", "{field}: {answer:?}");
        ensure!(answer.body["errors"][0]["pointer"] == pointer, "{pointer}: {answer:?}");
    }
    let gone = made(&admin, json!({ "session_ids": ["ses_00000000000000000000000000"] })).await?;
    is(&gone, 404, "not_found")?;
    // The same request again is one key, whose secret is not said twice.
    let body = json!({ "name": "once", "mode": "test", "scopes": ["*"] });
    let headers = [("idempotency-key", "one")];
    let first = admin.post_with("/api-keys", &headers, body.clone()).await?;
    let again = admin.post_with("/api-keys", &headers, body).await?;
    ensure!(first.status == 201 && again.status == 201 && first.body["id"] == again.body["id"], "{again:?}");
    ensure!(first.body["key"].is_string() && again.body["key"] == Value::Null, "{again:?}");
    ensure!(again.headers["idempotent-replayed"] == "true", "{again:?}");
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn a_key_does_what_it_was_made_for_and_no_more() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start_with(folder.path(), &["--trusted-proxies", "127.0.0.0/8"]).await?;
    let admin = waxwing.client()?;
    // One for the other network is made, and does not work here.
    let (live, _) = key_with(&admin, json!({ "mode": "live" })).await?;
    is(&live.get("/sessions").await?, 401, "unauthorized")?;

    // Sessions.
    let session = |name: &'static str| admin.post("/sessions", json!({ "name": name, "start": false }));
    let (ours, other) = (session("ours").await?, session("other").await?);
    let path = |made: &Answer| format!("/sessions/{}", made.body["id"].as_str().unwrap_or_default());
    let scopes = json!(["sessions:read", "api_keys:write"]);
    let (bound, _) = key_with(&admin, json!({ "scopes": scopes, "session_ids": [ours.body["id"]] })).await?;
    ensure!(bound.get(&path(&ours)).await?.status == 200);
    is(&bound.get(&path(&other)).await?, 404, "not_found")?;
    let seen = bound.all("/sessions").await?;
    ensure!(seen.len() == 1 && seen[0]["id"] == ours.body["id"], "{seen:?}");

    // Nobody gives more than they have.
    let ours_only = json!([ours.body["id"]]);
    for wanted in [
        json!({ "scopes": ["*"], "session_ids": ours_only }),
        json!({ "scopes": ["messages:send"], "session_ids": ours_only }),
        json!({ "scopes": ["sessions:read"] }),
    ] {
        is(&made(&bound, wanted).await?, 403, "forbidden")?;
    }
    is(&made(&bound, json!({ "session_ids": [other.body["id"]] })).await?, 404, "not_found")?;
    ensure!(made(&bound, json!({ "session_ids": ours_only })).await?.status == 201);
    let (_, strong) = key_with(&admin, json!({ "scopes": ["*"] })).await?;
    is(&bound.post(&format!("/api-keys/{strong}/rotate"), json!({})).await?, 404, "not_found")?;

    // Addresses.
    let (listed, _) =
        key_with(&admin, json!({ "ip_allow_list": ["203.0.113.0/24", "2001:db8::/32"] })).await?;
    is(&listed.get("/sessions").await?, 403, "forbidden")?;
    let from = |address: &'static str| {
        let listed = listed.clone();
        async move { listed.raw(Method::GET, "/api/v1/sessions", &[("x-forwarded-for", address)], None).await }
    };
    ensure!(from("203.0.113.9").await?.status == 200, "a trusted proxy is believed");
    ensure!(from("2001:db8::9").await?.status == 200);
    is(&from("198.51.100.1").await?, 403, "forbidden")?;
    is(&from("203.0.113.9, 198.51.100.1").await?, 403, "forbidden")?;

    // Its own limit.
    let (slow, _) = key_with(&admin, json!({ "rate_limit_per_min": 3 })).await?;
    for _ in 0..3 {
        ensure!(slow.get("/sessions").await?.status == 200);
    }
    let refused = slow.get("/sessions").await?;
    is(&refused, 429, "rate_limited")?;
    let wait: u32 = refused.headers["retry-after"].to_str()?.parse()?;
    ensure!((1..=60).contains(&wait) && refused.headers["ratelimit-limit"] == "3", "{refused:?}");
    ensure!(admin.get("/sessions").await?.status == 200, "others go on");

    waxwing.stop().await?;

    // Nobody is trusted unless the operator says so.
    let waxwing = Waxwing::start(folder.path()).await?;
    let moved = Client::new(&waxwing.credentials)?;
    let (listed, _) = key_with(&moved, json!({ "ip_allow_list": ["203.0.113.0/24"] })).await?;
    let headers = [("x-forwarded-for", "203.0.113.9")];
    is(&listed.raw(Method::GET, "/api/v1/sessions", &headers, None).await?, 403, "forbidden")?;
    let (local, _) = key_with(&moved, json!({ "ip_allow_list": ["127.0.0.1"] })).await?;
    ensure!(local.get("/sessions").await?.status == 200);
    waxwing.stop().await.map(drop)
}
