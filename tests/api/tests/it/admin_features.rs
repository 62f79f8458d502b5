//! What the operator switches off is refused, what was accepted goes on, and who switched what is told.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use waxwing_tests_api::{Answer, Client, Waxwing, eventually};

use crate::{
    auth::{PASSWORD, is, stranger, text},
    members::owner,
};

const FRIEND: &str = "+15550002222";

fn switched(answer: &Answer, name: &str, enabled: bool) -> Result<()> {
    ensure!(answer.status == 200, "{answer:?}");
    let features =
        answer.body["data"].as_array().or(answer.body["features"].as_array()).context("features")?;
    let feature = features.iter().find(|feature| feature["name"] == name).context("the feature")?;
    ensure!(feature["enabled"] == enabled, "{name}: {answer:?}");
    Ok(())
}

async fn switch(operator: &Client, name: &str, enabled: bool) -> Result<()> {
    let answer = operator.put(&format!("/admin/features/{name}"), json!({ "enabled": enabled })).await?;
    switched(&answer, name, enabled)
}

async fn switch_for(operator: &Client, account: &str, name: &str, enabled: Option<bool>) -> Result<Answer> {
    let path = format!("/admin/accounts/{account}/features/{name}");
    operator.put(&path, json!({ "enabled": enabled })).await
}

/// What each feature lets through, and what it answers then.
async fn tried(client: &Client, name: &str, session: &str) -> Result<(Answer, u16)> {
    Ok(match name {
        "sending" => {
            let body = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "hello" });
            (client.post("/messages", body).await?, 202)
        },
        "new_sessions" => {
            (client.post("/sessions", json!({ "name": "one more", "start": false })).await?, 201)
        },
        _ => (client.post("/webhooks", json!({ "url": "http://127.0.0.1:9/", "events": ["*"] })).await?, 201),
    })
}

async fn refused(client: &Client, name: &str, session: &str) -> Result<()> {
    let (answer, _) = tried(client, name, session).await?;
    is(&answer, 403, "feature_off")?;
    ensure!(answer.body["detail"].as_str().is_some_and(|detail| detail.contains(name)), "{answer:?}");
    Ok(())
}

async fn accepted(client: &Client, name: &str, session: &str) -> Result<()> {
    let (answer, status) = tried(client, name, session).await?;
    ensure!(answer.status == status, "{name}: {answer:?}");
    // Names are unique.
    if name == "new_sessions" {
        client.delete(&format!("/sessions/{}", text(&answer, "id")?)).await?;
    }
    Ok(())
}

async fn account_of(client: &Client) -> Result<String> {
    Ok(client.get("/me").await?.body["account"]["id"].as_str().context("an account")?.to_owned())
}

async fn entry(operator: &Client, query: &str, kind: &str) -> Result<Value> {
    eventually("the entry", async || {
        let log = operator.get(&format!("/admin/audit-log?{query}")).await?;
        ensure!(log.status == 200, "{log:?}");
        let data = log.body["data"].as_array().context("data")?;
        let is_it =
            |entry: &&Value| entry["types"].as_array().is_some_and(|types| types.contains(&json!(kind)));
        Ok(data.iter().find(is_it).cloned())
    })
    .await
}

#[tokio::test]
async fn each_feature_is_off_and_on_again_for_all_and_for_one_account() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let (ada, carl) =
        (owner(&operator, "ada@example.com").await?, owner(&operator, "carl@example.com").await?);
    let account = account_of(&ada).await?;
    let session = |client: Client| async move {
        let made = client.post("/sessions", json!({ "name": "shop", "start": false })).await?;
        anyhow::Ok(text(&made, "id")?.to_owned())
    };
    let (hers, his) = (session(ada.clone()).await?, session(carl.clone()).await?);
    for name in ["sending", "new_sessions", "webhooks"] {
        switch(&operator, name, false).await?;
        refused(&ada, name, &hers).await?;
        refused(&carl, name, &his).await?;
        // One account may although nobody may.
        switched(&switch_for(&operator, &account, name, Some(true)).await?, name, true)?;
        accepted(&ada, name, &hers).await?;
        refused(&carl, name, &his).await?;
        switch(&operator, name, true).await?;
        accepted(&carl, name, &his).await?;
        // And the other way round.
        switched(&switch_for(&operator, &account, name, Some(false)).await?, name, false)?;
        refused(&ada, name, &hers).await?;
        accepted(&carl, name, &his).await?;
        let shown = operator.get(&format!("/admin/accounts/{account}")).await?;
        switched(&shown, name, false)?;
        ensure!(shown.body["id"] == account && shown.body["name"] == "Ada", "{shown:?}");
        switched(&switch_for(&operator, &account, name, None).await?, name, true)?;
        accepted(&ada, name, &hers).await?;
    }

    let register = async || {
        let body = json!({ "email": "late@example.com", "password": PASSWORD, "name": "Late" });
        stranger(&operator).post("/auth/register", body).await
    };
    switch(&operator, "registration", false).await?;
    is(&register().await?, 403, "registration_closed")?;
    switch(&operator, "registration", true).await?;
    ensure!(register().await?.status == 201);
    let own = switch_for(&operator, &account, "registration", Some(false)).await?;
    is(&own, 422, "validation_failed")?;

    let off = json!({ "enabled": false });
    is(&operator.put("/admin/features/flying", off.clone()).await?, 404, "not_found")?;
    let flying = format!("/admin/accounts/{account}/features/flying");
    is(&operator.put(&flying, off.clone()).await?, 404, "not_found")?;
    let nobody = "/admin/accounts/acc_00000000000000000000000000";
    is(&operator.put(&format!("{nobody}/features/sending"), off.clone()).await?, 404, "not_found")?;
    is(&operator.get(nobody).await?, 404, "not_found")?;
    let silent = operator.put(&format!("/admin/accounts/{account}/features/sending"), json!({})).await?;
    is(&silent, 422, "validation_failed")?;
    is(&ada.put("/admin/features/sending", off).await?, 403, "forbidden")?;
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn what_was_accepted_goes_on_and_switches_outlast_a_restart() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start_with(folder.path(), &["--registration", "closed"]).await?;
    let operator = waxwing.client()?;
    switched(&operator.get("/admin/features").await?, "registration", false)?;
    let session = operator.connected_session("shop", "+15550001111").await?;
    operator.make_phone(FRIEND).await?;
    ensure!(operator.post(&format!("/sessions/{session}/stop"), json!({})).await?.status == 202);
    operator.wait_status(&session, "stopped").await?;
    let body = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "before" });
    let key = [("idempotency-key", "once")];
    let sent = operator.post_with("/messages", &key, body.clone()).await?;
    ensure!(sent.status == 202, "{sent:?}");
    for name in ["sending", "new_sessions"] {
        switch(&operator, name, false).await?;
    }
    switch(&operator, "registration", true).await?;
    waxwing.stop().await?;

    let waxwing = Waxwing::start_with(folder.path(), &["--registration", "closed"]).await?;
    let operator = waxwing.client()?;
    for (name, enabled) in
        [("sending", false), ("new_sessions", false), ("registration", true), ("webhooks", true)]
    {
        switched(&operator.get("/admin/features").await?, name, enabled)?;
    }
    refused(&operator, "sending", &session).await?;
    refused(&operator, "new_sessions", &session).await?;
    // Who did not hear the answer asks again, and hears it.
    let again = operator.post_with("/messages", &key, body).await?;
    ensure!(again.status == 202 && again.body["id"] == sent.body["id"], "{again:?}");
    ensure!(again.headers.get("idempotent-replayed").is_some(), "{again:?}");
    ensure!(operator.post(&format!("/sessions/{session}/start"), json!({})).await?.status == 202);
    let path = format!("/messages/{}", text(&sent, "id")?);
    eventually("the message on the phone", async || {
        Ok((operator.get(&path).await?.body["status"] == "delivered").then_some(()))
    })
    .await?;
    switch(&operator, "sending", true).await?;
    accepted(&operator, "sending", &session).await?;
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn the_operator_finds_who_switched_what_and_what_users_changed_about_themselves() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let ada = owner(&operator, "ada@example.com").await?;
    let me = ada.get("/me").await?.body;
    let (user, account) =
        (me["user"]["id"].as_str().context("a user")?, me["account"]["id"].as_str().context("an account")?);
    switch(&operator, "sending", false).await?;
    switch(&operator, "sending", true).await?;
    let key = operator.get("/me").await?.body["api_key"]["id"].clone();
    let newest = eventually("both entries", async || {
        let log = operator.get("/admin/audit-log").await?;
        let data = log.body["data"].as_array().context("data")?;
        Ok((data.len() == 2).then(|| data[0].clone()))
    })
    .await?;
    ensure!(newest["types"] == json!(["features.switched"]) && newest["address"] == "127.0.0.1", "{newest}");
    ensure!(newest["actor"].as_str().is_some_and(|actor| actor.starts_with("key_")), "{newest}");
    ensure!(key.is_null() || newest["actor"] == key, "{newest} by {key}");
    ensure!(
        newest["changes"] == json!({ "features.sending": { "before": false, "after": true } }),
        "{newest}"
    );
    ensure!(operator.get("/admin/audit-log?actor=nobody").await?.body["data"] == json!([]));

    ensure!(switch_for(&operator, account, "webhooks", Some(false)).await?.status == 200);
    let of_account = format!("account_id={account}");
    let entry_of_account = entry(&operator, &of_account, "account.feature_switched").await?;
    let change = json!({ "features.webhooks": { "before": null, "after": false } });
    ensure!(entry_of_account["changes"] == change, "{entry_of_account}");
    ensure!(
        entry_of_account["actor"] == newest["actor"] && entry_of_account["address"] == "127.0.0.1",
        "{entry_of_account}"
    );
    let by_id = format!("{of_account}&actor={}", newest["actor"].as_str().context("an actor")?);
    ensure!(entry(&operator, &by_id, "account.feature_switched").await? == entry_of_account);
    // The account sees it as well, but for who it was and from where.
    let mut told = entry_of_account;
    (told["actor"], told["address"]) = (json!("operator"), Value::Null);
    let own = ada.get("/audit-log").await?;
    ensure!(own.body["data"].as_array().is_some_and(|data| data.contains(&told)), "{own:?}");
    ensure!(ada.get("/audit-log?actor=operator").await?.body["data"] == json!([told]));
    let by_id = format!("/audit-log?actor={}", newest["actor"].as_str().context("an actor")?);
    ensure!(ada.get(&by_id).await?.body["data"] == json!([]), "no filter tells it either");
    // In their own account the operator's people see who of them it was.
    let of_operator = operator.account_id();
    ensure!(switch_for(&operator, of_operator, "webhooks", Some(true)).await?.status == 200);
    let own = eventually("the entry", async || {
        let log = operator.get(&format!("/audit-log?resource={of_operator}")).await?;
        let data = log.body["data"].as_array().context("data")?;
        let switched = data.iter().find(|entry| entry["types"] == json!(["account.feature_switched"]));
        Ok(switched.cloned())
    })
    .await?;
    ensure!(own["actor"] == newest["actor"] && own["address"] == "127.0.0.1", "{own}");

    ensure!(ada.patch("/me", json!({ "name": "Ada Lovelace" })).await?.status == 200);
    let of_user = format!("user_id={user}");
    let renamed = entry(&operator, &of_user, "user.renamed").await?;
    ensure!(renamed["actor"] == user && renamed["address"] == "127.0.0.1", "{renamed}");
    ensure!(
        renamed["changes"] == json!({ "name": { "before": "Ada", "after": "Ada Lovelace" } }),
        "{renamed}"
    );
    let registered = entry(&operator, &of_user, "user.registered").await?;
    ensure!(registered["changes"]["email"]["after"] == "ada@example.com", "{registered}");
    let all = operator.get(&format!("/admin/audit-log?{of_user}")).await?.body.to_string();
    for secret in ["argon2", "nonce", "token", PASSWORD] {
        ensure!(!all.contains(secret), "{secret} in {all}");
    }
    ensure!(!ada.get("/audit-log").await?.body.to_string().contains("user.renamed"), "not the account's");
    is(&operator.get(&format!("/admin/audit-log?{of_user}&{of_account}")).await?, 422, "validation_failed")?;

    let gone = ada.post("/me/delete", json!({ "password": PASSWORD })).await?;
    ensure!(gone.status == 204, "{gone:?}");
    eventually("nothing of the user", async || {
        let log = operator.get(&format!("/admin/audit-log?{of_user}")).await?;
        Ok((log.body["data"] == json!([])).then_some(()))
    })
    .await?;
    waxwing.stop().await.map(drop)
}
