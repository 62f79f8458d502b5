//! The operator sees the sessions of all accounts.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use waxwing_tests_api::{Client, Waxwing, eventually};

use crate::{
    auth::{is, text},
    members::owner,
};

/// The sessions of a list, once it shows these statuses by name.
async fn shown(operator: &Client, query: &str, expected: &[(&str, &str)]) -> Result<Vec<Value>> {
    eventually(&format!("{expected:?} of {query}"), async || {
        let list = operator.get(&format!("/admin/sessions?{query}")).await?;
        ensure!(list.status == 200, "{list:?}");
        let data = list.body["data"].as_array().context("data")?;
        let found = data.iter().map(|one| (one["name"].as_str(), one["status"].as_str()));
        let is_it = found.eq(expected.iter().map(|(name, status)| (Some(*name), Some(*status))));
        Ok(is_it.then(|| data.clone()))
    })
    .await
}

#[tokio::test]
async fn sessions_of_all_accounts_are_listed_whatever_they_are_doing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let operator = waxwing.client()?;
    let ada = owner(&operator, "ada@example.com").await?;
    let account = ada.get("/me").await?.body["account"]["id"].as_str().context("an account")?.to_owned();
    let own = operator.account_id().to_owned();
    let connected = operator.connected_session("connected", "+15550001111").await?;
    let stopped = operator.connected_session("stopped", "+15550001112").await?;
    let unlinked = ada.connected_session("unlinked", "+15550001111").await?;
    let never = ada.post("/sessions", json!({ "name": "never started", "start": false })).await?;
    ensure!(never.status == 201, "{never:?}");
    let gone = ada.post("/sessions", json!({ "name": "gone", "start": false })).await?;
    ensure!(operator.post(&format!("/sessions/{stopped}/stop"), json!({})).await?.status == 202);
    ensure!(ada.post(&format!("/sessions/{unlinked}/logout"), json!({})).await?.status == 202);
    ensure!(ada.delete(&format!("/sessions/{}", text(&gone, "id")?)).await?.status == 204);

    let all = [
        ("connected", "connected"),
        ("stopped", "stopped"),
        ("unlinked", "logged_out"),
        ("never started", "stopped"),
    ];
    let list = shown(&operator, "", &all).await?;
    let first = &list[0];
    ensure!(first["id"] == connected && first["account_id"] == own, "{first}");
    ensure!(first["host"] == "standalone" && first["held_since"].is_string(), "{first}");
    ensure!(first["network"] == "sandbox" && first["health"]["state"] == "healthy", "{first}");
    ensure!(list[1..].iter().all(|one| one["host"].is_null() && one["held_since"].is_null()), "{list:?}");
    ensure!(list[2]["account_id"] == account && list[2]["id"] == unlinked, "{list:?}");
    let told = json!(list).to_string();
    ensure!(!told.contains("1555000"), "no numbers: {told}");

    shown(&operator, &format!("account_id={account}"), &all[2..]).await?;
    shown(&operator, "status=stopped", &[all[1], all[3]]).await?;
    shown(&operator, &format!("status=stopped&account_id={account}"), &all[3..]).await?;
    shown(&operator, "network=sandbox", &all).await?;
    shown(&operator, "network=whatsapp", &[]).await?;
    for (query, expected) in [("", 4), ("status=stopped&", 2), (&*format!("account_id={account}&"), 2)] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = operator.get(&format!("/admin/sessions?{query}limit=1{cursor}")).await?;
            let data = page.body["data"].as_array().context("data")?;
            ensure!(data.len() <= 1 && seen.len() <= 4, "{page:?}");
            seen.extend(data.iter().map(|one| one["id"].to_string()));
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let count = seen.len();
        seen.dedup();
        ensure!(count == expected && seen.len() == expected, "{query}: {seen:?}");
    }
    for wrong in ["status=flying", "account_id=ses_1", "network=fax", "unknown=1"] {
        is(&operator.get(&format!("/admin/sessions?{wrong}")).await?, 422, "validation_failed")?;
    }
    waxwing.stop().await?;

    // What is at rest is listed by a process that never touched it.
    let waxwing = Waxwing::start(folder.path()).await?;
    shown(&waxwing.client()?, "", &all).await?;
    waxwing.stop().await.map(drop)
}
