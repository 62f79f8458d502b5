//! What the operator sees of the whole installation, and nobody else.

use anyhow::{Context, Result, ensure};
use serde_json::json;
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
    for path in ["mail", "users", "accounts", "hosts", "queues", "queues/webhooks/dead-letters"] {
        is(&ada.get(&format!("/admin/{path}")).await?, 403, "forbidden")?;
    }
    is(&ada.delete("/admin/queues/webhooks/dead-letters/x").await?, 403, "forbidden")?;

    let gone = ada.post("/me/delete", json!({ "password": PASSWORD })).await?;
    ensure!(gone.status == 204 || gone.status == 409, "{gone:?}");
    waxwing.stop().await.map(drop)
}
