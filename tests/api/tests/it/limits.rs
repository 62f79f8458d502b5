//! How much an account may have, and how fast.

use anyhow::{Result, ensure};
use http::Method;
use serde_json::json;
use waxwing_tests_api::{Answer, Waxwing};

use crate::auth::{is, text};

fn figure(answer: &Answer, name: &str) -> Result<u32> {
    Ok(answer.headers[name].to_str()?.parse()?)
}

#[tokio::test]
async fn an_account_has_as_many_sessions_and_webhooks_as_the_operator_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let flags = ["--sessions-max", "2", "--webhooks-max", "1"];
    let waxwing = Waxwing::start_with(folder.path(), &flags).await?;
    let client = waxwing.client()?;
    let make = |name: &'static str| {
        let client = client.clone();
        let headers = [("idempotency-key", name)];
        async move { client.post_with("/sessions", &headers, json!({ "name": name, "start": false })).await }
    };
    let first = make("one").await?;
    ensure!(first.status == 201 && make("two").await?.status == 201, "{first:?}");
    is(&make("three").await?, 409, "too_many_sessions")?;
    let again = make("one").await?;
    ensure!(again.status == 201 && again.body == first.body, "a repetition makes none: {again:?}");
    let path = format!("/api/v1/sessions/{}", text(&first, "id")?);
    ensure!(client.raw(Method::DELETE, &path, &[], None).await?.status == 204);
    ensure!(make("four").await?.status == 201, "one was deleted");
    let hook = || client.post("/webhooks", json!({ "url": "http://127.0.0.1:9/", "events": ["*"] }));
    ensure!(hook().await?.status == 201);
    is(&hook().await?, 409, "too_many_webhooks")?;
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn each_answer_tells_of_the_bucket_that_is_nearest_to_empty() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let read = client.get("/sessions").await?;
    ensure!(
        figure(&read, "ratelimit-limit")? == 8_000 && figure(&read, "ratelimit-remaining")? < 8_000,
        "{read:?}"
    );
    let write = client.post("/sessions", json!({})).await?;
    ensure!(figure(&write, "ratelimit-limit")? == 4_000, "{write:?}");
    let send = client.post("/messages", json!({})).await?;
    ensure!(figure(&send, "ratelimit-limit")? == 8_000, "{send:?}");
    let nobody = client.with_key("none").get("/sessions").await?;
    ensure!(figure(&nobody, "ratelimit-limit")? == 20_000, "{nobody:?}");
    let guess = client.with_key("none");
    let guess = guess.post("/auth/login", json!({ "email": "a@example.com", "password": "x" })).await?;
    ensure!(figure(&guess, "ratelimit-remaining")? == 19, "{guess:?}");
    ensure!((1..=60).contains(&figure(&guess, "ratelimit-reset")?), "{guess:?}");
    waxwing.stop().await.map(drop)
}
