//! What the operator sees of the whole installation, and nobody else.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use waxwing_tests_api::{Waxwing, eventually};

use crate::auth::{PASSWORD, is, login, text, verified};

#[tokio::test]
async fn the_operator_finds_accounts_users_hosts_and_queues() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    verified(&operator, "ada@example.com").await?;
    let found = async |path: &'static str| {
        eventually("the entry", async || {
            let list = operator.get(path).await?;
            ensure!(list.status == 200, "{list:?}");
            Ok(list.body["data"].as_array().context("data")?.first().cloned())
        })
        .await
    };
    let user = found("/admin/users?q=ADA@").await?;
    ensure!(user["email"] == "ada@example.com" && user["totp_enabled"] == false, "{user}");
    let account = found("/admin/accounts?q=Ada").await?;
    ensure!(account["owner_id"] == user["id"] && account["name"] == "Ada", "{account}");
    ensure!(operator.get("/admin/users?q=nobody").await?.body["data"] == json!([]));
    let page = operator.get("/admin/accounts?limit=1").await?;
    ensure!(page.body["data"].as_array().is_some_and(|data| data.len() == 1), "{page:?}");
    let next = page.body["next_cursor"].as_str().context("a cursor: there are two accounts")?;
    let rest = operator.get(&format!("/admin/accounts?limit=1&cursor={next}")).await?;
    ensure!(rest.body["data"] != page.body["data"] && rest.status == 200, "{rest:?}");

    let queues = operator.get("/admin/queues").await?;
    ensure!(queues.body["data"][0] == json!({ "name": "webhooks", "dead_letters": 0 }), "{queues:?}");
    let dead = operator.get("/admin/queues/webhooks/dead-letters").await?;
    ensure!(dead.status == 200 && dead.body["data"] == json!([]), "{dead:?}");
    is(&operator.get("/admin/queues/nothing/dead-letters").await?, 404, "not_found")?;
    is(&operator.post("/admin/queues/webhooks/dead-letters/x/redrive", json!({})).await?, 404, "not_found")?;
    is(&operator.delete("/admin/queues/webhooks/dead-letters/x").await?, 404, "not_found")?;
    ensure!(operator.get("/admin/hosts").await?.status == 200);

    let tokens = login(&operator, "ada@example.com", PASSWORD).await?;
    let ada = operator.with_key(text(&tokens, "access_token")?);
    for path in [
        "mail",
        "users",
        "accounts",
        "sessions",
        "features",
        "audit-log",
        "hosts",
        "queues",
        "queues/webhooks/dead-letters",
    ] {
        is(&ada.get(&format!("/admin/{path}")).await?, 403, "forbidden")?;
    }
    is(&ada.delete("/admin/queues/webhooks/dead-letters/x").await?, 403, "forbidden")?;

    is(&ada.post("/me/delete", json!({ "password": "wrong horse" })).await?, 403, "wrong_password")?;
    let gone = ada.post("/me/delete", json!({ "password": PASSWORD })).await?;
    ensure!(gone.status == 204, "{gone:?}");
    is(&ada.get("/me").await?, 401, "unauthorized")?;
    is(&login(&operator, "ada@example.com", PASSWORD).await?, 401, "invalid_credentials")?;
    for path in ["/admin/users?q=ada@", "/admin/accounts?q=Ada"] {
        eventually("the end", async || {
            Ok((operator.get(path).await?.body["data"] == json!([])).then_some(()))
        })
        .await?;
    }
    verified(&operator, "ada@example.com").await?;
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn an_account_is_suspended_restored_and_deleted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    verified(&operator, "ada@example.com").await?;
    let tokens = login(&operator, "ada@example.com", PASSWORD).await?;
    let ada = operator.with_key(text(&tokens, "access_token")?);
    let me = ada.get("/me").await?;
    let account = me.body["account"]["id"].as_str().context("an account")?.to_owned();
    let made = ada.post("/api-keys", json!({ "name": "k", "mode": "test", "scopes": ["*"] })).await?;
    let key = operator.with_key(text(&made, "key")?);
    let session = key.connected_session("shop", "+15550001111").await?;

    let suspend = format!("/admin/accounts/{account}/suspend");
    is(&ada.post(&suspend, json!({})).await?, 403, "forbidden")?;
    ensure!(operator.post(&suspend, json!({})).await?.status == 204);
    for client in [&ada, &key] {
        is(&client.get("/sessions").await?, 403, "account_suspended")?;
    }
    eventually("the operator's list", async || {
        let list = operator.get(&format!("/admin/accounts?q={account}")).await?;
        Ok((list.body["data"][0]["suspended"] == true).then_some(()))
    })
    .await?;
    ensure!(operator.post(&format!("/admin/accounts/{account}/restore"), json!({})).await?.status == 204);
    eventually("the session stopped", async || {
        let session = key.get(&format!("/sessions/{session}")).await?;
        ensure!(session.status == 200, "{session:?}");
        Ok((session.body["status"] == "stopped").then_some(()))
    })
    .await?;
    // Its people read that it was the operator; who and from where, only the operator reads.
    let done = |log: &Value| {
        let data = log["data"].as_array().cloned().unwrap_or_default();
        let is_operators = |entry: &Value| {
            ["account.suspended", "session.stop_requested", "account.restored"]
                .iter()
                .any(|kind| entry["types"] == json!([kind]))
        };
        data.into_iter().filter(is_operators).collect::<Vec<_>>()
    };
    let told = eventually("what the operator did", async || {
        let done = done(&ada.get("/audit-log?actor=operator").await?.body);
        Ok((done.len() == 3).then_some(done))
    })
    .await?;
    ensure!(told.iter().all(|entry| entry["address"].is_null()), "{told:?}");
    let known = done(&operator.get(&format!("/admin/audit-log?account_id={account}")).await?.body);
    let is_known = |entry: &Value| {
        entry["address"] == "127.0.0.1"
            && entry["actor"].as_str().is_some_and(|actor| actor.starts_with("key_"))
    };
    ensure!(known.len() == 3 && known.iter().all(is_known), "{known:?}");
    let own = format!("/admin/accounts/{}/suspend", operator.account_id());
    is(&operator.post(&own, json!({})).await?, 409, "operators_account")?;

    is(&ada.post("/account/delete", json!({ "password": "wrong horse" })).await?, 403, "wrong_password")?;
    let gone = ada.post("/account/delete", json!({ "password": PASSWORD })).await?;
    ensure!(gone.status == 204, "{gone:?}");
    for client in [&ada, &key] {
        is(&client.get("/sessions").await?, 401, "unauthorized")?;
    }
    let late = login(&operator, "ada@example.com", PASSWORD).await?;
    ensure!(late.status == 403, "the user is there and belongs to nothing: {late:?}");
    waxwing.stop().await.map(drop)
}
