//! Sessions through their life, and the process through its.

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::json;
use waxwing_tests_api::{Waxwing, eventually};

const OWNER: &str = "+15550001111";
const FRIEND: &str = "+15550002222";

#[tokio::test]
async fn a_start_on_a_used_folder_connects_every_session_by_itself() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let one = client.connected_session("one", OWNER).await?;
    let two = client.connected_session("two", "+15550003333").await?;
    let first = waxwing.credentials.clone();
    waxwing.stop().await?;
    let waxwing = Waxwing::start(folder.path()).await?;
    ensure!(waxwing.credentials.api_key == first.api_key, "the key stays");
    let client = waxwing.client()?;
    client.wait_status(&one, "connected").await?;
    client.wait_status(&two, "connected").await?;
    client.make_phone(FRIEND).await?;
    // Between two sessions of one network, too.
    for to in [FRIEND, "+15550003333"] {
        let sent = client
            .post("/messages", json!({ "session_id": one, "to": to, "type": "text", "text": "back" }))
            .await?;
        let id = sent.body["id"].as_str().context("an id")?.to_owned();
        eventually("delivered", || async {
            let message = client.get(&format!("/messages/{id}")).await?;
            Ok((message.body["status"] == "delivered").then_some(()))
        })
        .await?;
    }
    eventually("the other session's message", || async {
        let listed = client.all(&format!("/messages?session_id={two}&direction=in")).await?;
        Ok(listed.iter().any(|message| message["text"] == "back").then_some(()))
    })
    .await?;
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn a_session_stops_starts_restarts_and_logs_out_as_wished() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let session = client.connected_session("shop", OWNER).await?;
    client.make_phone(FRIEND).await?;
    let wish = |what: &'static str| {
        let (client, path) = (client.clone(), format!("/sessions/{session}/{what}"));
        async move {
            let answer = client.raw(Method::POST, &format!("/api/v1{path}"), &[], None).await?;
            ensure!(answer.status == 202, "{what}: {answer:?}");
            Ok(())
        }
    };
    let send = |text: &'static str| {
        client.post("/messages", json!({ "session_id": session, "to": FRIEND, "type": "text", "text": text }))
    };
    let status_of = |id: String, wanted: &'static str| {
        let client = client.clone();
        async move {
            eventually(wanted, || async {
                let message = client.get(&format!("/messages/{id}")).await?;
                Ok((message.body["status"] == wanted).then_some(message.body))
            })
            .await
        }
    };

    wish("stop").await?;
    client.wait_status(&session, "stopped").await?;
    let waiting = send("waits").await?;
    ensure!(waiting.status == 202, "a stopped session takes messages: {waiting:?}");
    wish("start").await?;
    client.wait_status(&session, "connected").await?;
    status_of(waiting.body["id"].as_str().context("an id")?.to_owned(), "delivered").await?;

    wish("restart").await?;
    let after = send("after the restart").await?;
    status_of(after.body["id"].as_str().context("an id")?.to_owned(), "delivered").await?;

    wish("stop").await?;
    client.wait_status(&session, "stopped").await?;
    let stranded = send("stranded").await?;
    wish("logout").await?;
    client.wait_status(&session, "logged_out").await?;
    let failed = status_of(stranded.body["id"].as_str().context("an id")?.to_owned(), "failed").await?;
    ensure!(failed["error"]["code"] == "session_logged_out", "{failed}");
    let refused = send("too late").await?;
    ensure!(refused.status == 409 && refused.body["code"] == "session_logged_out", "{refused:?}");

    // A new pairing brings it back.
    wish("start").await?;
    client.link(&session, OWNER).await?;
    let back = send("back").await?;
    status_of(back.body["id"].as_str().context("an id")?.to_owned(), "delivered").await?;

    let deleted = client.raw(Method::DELETE, &format!("/api/v1/sessions/{session}"), &[], None).await?;
    ensure!(deleted.status == 204, "{deleted:?}");
    ensure!(client.get(&format!("/sessions/{session}")).await?.status == 404);
    // Its name is free again.
    ensure!(client.post("/sessions", json!({ "name": "shop" })).await?.status == 201);
    Ok(())
}

#[tokio::test]
async fn a_phone_that_unlinks_the_session_logs_it_out() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let session = client.connected_session("shop", OWNER).await?;
    let fault = client.post("/sandbox/faults", json!({ "kind": "log_out", "session_id": session })).await?;
    ensure!(fault.status == 202, "{fault:?}");
    client.wait_status(&session, "logged_out").await
}

#[tokio::test]
async fn a_dropped_connection_is_restored_without_news() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let session = client.connected_session("shop", OWNER).await?;
    client.make_phone(FRIEND).await?;
    for round in 0..3 {
        let fault = client.post("/sandbox/faults", json!({ "kind": "drop_connections" })).await?;
        ensure!(fault.status == 202, "{fault:?}");
        let body = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": format!("{round}") });
        let sent = client.post("/messages", body).await?;
        let id = sent.body["id"].as_str().context("an id")?.to_owned();
        eventually("delivered", || async {
            let message = client.get(&format!("/messages/{id}")).await?;
            Ok((message.body["status"] == "delivered").then_some(()))
        })
        .await
        .with_context(|| waxwing.log())?;
    }
    let inbox = client.all(&format!("/sandbox/phones/{FRIEND}/inbox")).await?;
    ensure!(inbox.len() == 3, "{inbox:?}");
    Ok(())
}

#[tokio::test]
async fn the_code_to_scan_comes_as_json_svg_and_png() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let made = client.post("/sessions", json!({ "name": "shop" })).await?;
    let path = format!("/sessions/{}/qr", made.body["id"].as_str().context("an id")?);
    let code = eventually("a code", || async {
        let answer = client.get(&path).await?;
        ensure!(answer.status == 200 || answer.body["code"] == "not_pairing", "{answer:?}");
        Ok((answer.status == 200).then_some(answer.body))
    })
    .await?;
    ensure!(
        code["code"].as_str().is_some_and(|code| code.split(',').count() >= 4)
            && code["expires_at"].is_string(),
        "{code}"
    );
    for kind in ["image/svg+xml", "image/png"] {
        let picture = client.raw(Method::GET, &format!("/api/v1{path}"), &[("accept", kind)], None).await?;
        ensure!(picture.status == 200 && picture.headers["content-type"] == kind, "{picture:?}");
    }
    let stopped = client.post("/sessions", json!({ "name": "stopped", "start": false })).await?;
    let path = format!("/sessions/{}/qr", stopped.body["id"].as_str().context("an id")?);
    let answer = client.get(&path).await?;
    ensure!(answer.status == 409 && answer.body["code"] == "not_pairing", "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn a_lost_credentials_file_is_made_anew() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let (first, old) = (waxwing.credentials.clone(), waxwing.client()?);
    old.post("/sessions", json!({ "name": "kept", "start": false })).await?;
    waxwing.stop().await?;
    std::fs::remove_file(folder.path().join("credentials.json"))?;
    let waxwing = Waxwing::start(folder.path()).await?;
    ensure!(
        waxwing.credentials.account_id == first.account_id && waxwing.credentials.api_key != first.api_key
    );
    let sessions = waxwing.client()?.all("/sessions").await?;
    ensure!(sessions.len() == 1 && sessions[0]["name"] == "kept", "{sessions:?}");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(folder.path().join("credentials.json"))?.permissions().mode();
    ensure!(mode & 0o777 == 0o600, "{mode:o}");
    Ok(())
}
