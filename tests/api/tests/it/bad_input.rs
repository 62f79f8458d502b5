//! Bad input gets a clear error that names the field, and nothing is half done.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use waxwing_tests_api::{Client, Waxwing, binary, eventually};

const FRIEND: &str = "+15550002222";
const JSON: (&str, &str) = ("content-type", "application/json");

fn is_problem(answer: &waxwing_tests_api::Answer, status: u16, code: &str) -> Result<()> {
    ensure!(answer.status == status && answer.body["code"] == code, "expected {status} {code}: {answer:?}");
    ensure!(answer.headers["content-type"] == "application/problem+json", "{answer:?}");
    ensure!(
        answer.body["status"] == status
            && answer.body["type"].is_string()
            && answer.body["title"].is_string()
    );
    for name in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
        answer.headers[name].to_str()?.parse::<u32>().context(name)?;
    }
    let id = answer.headers["x-request-id"].to_str()?;
    ensure!(id.starts_with("req_") && answer.body["request_id"] == id, "{answer:?}");
    Ok(())
}

fn names(answer: &waxwing_tests_api::Answer, pointer: &str) -> Result<()> {
    is_problem(answer, 422, "validation_failed")?;
    ensure!(answer.body["errors"][0]["pointer"] == pointer, "expected {pointer}: {answer:?}");
    Ok(())
}

#[tokio::test]
async fn wrong_bodies_are_refused_and_the_field_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let made = client.post("/sessions", json!({ "name": "shop", "start": false })).await?;
    let session = made.body["id"].as_str().context("an id")?;
    let body = |changed: &dyn Fn(&mut Value)| {
        let mut body = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "x" });
        changed(&mut body);
        client.post("/messages", body)
    };
    let raw = |headers: &'static [(&'static str, &'static str)], bytes: Option<Vec<u8>>| {
        client.raw(Method::POST, "/api/v1/messages", headers, bytes)
    };
    names(&raw(&[JSON], None).await?, "")?;
    names(&raw(&[JSON], Some(b"{\"session_id\":".to_vec())).await?, "")?;
    names(&raw(&[JSON], Some(b"[]".to_vec())).await?, "")?;
    is_problem(
        &raw(&[("content-type", "text/plain")], Some(b"{}".to_vec())).await?,
        415,
        "unsupported_media_type",
    )?;
    names(&body(&|body| body["colour"] = json!("red")).await?, "/colour")?;
    names(&body(&|body| body["text"] = json!(7)).await?, "/text")?;
    names(&body(&|body| body["type"] = json!("carrier_pigeon")).await?, "/type")?;
    names(&body(&|body| body["text"] = json!("")).await?, "/text")?;
    names(&body(&|body| body["text"] = json!("é".repeat(65_537))).await?, "/text")?;
    ensure!(body(&|body| body["text"] = json!("é".repeat(65_536))).await?.status == 202);
    for to in ["bob", "", "+1", "12345678901234567", "x@s.whatsapp.net", "15550001111@example.com"] {
        names(&body(&|body| body["to"] = json!(to)).await?, "/to")?;
    }
    names(&body(&|body| body["session_id"] = json!("shop")).await?, "/session_id")?;
    names(&body(&|body| body["expires_at"] = json!("2001-01-01T00:00:00Z")).await?, "/expires_at")?;
    names(&body(&|body| body["to"] = json!("status@broadcast")).await?, "/to")?;
    for (field, wanted) in [("send_at", json!("2999-01-01T00:00:00Z")), ("view_once", json!(true))] {
        names(&body(&|body| body[field] = wanted.clone()).await?, &format!("/{field}"))?;
    }
    names(&body(&|body| body["metadata"] = json!({ "x": "y".repeat(5_000) })).await?, "/metadata")?;
    is_problem(
        &body(&|body| body["session_id"] = json!("ses_00000000000000000000000000")).await?,
        404,
        "not_found",
    )?;
    let big = vec![b' '; 50 * 1_024 * 1_024];
    is_problem(&raw(&[JSON], Some(big)).await?, 413, "payload_too_large")?;

    names(&client.post("/sessions", json!({ "name": "" })).await?, "/name")?;
    is_problem(&client.post("/sessions", json!({ "name": "shop" })).await?, 409, "session_exists")?;
    names(&client.get("/messages?limit=0").await?, "/query/limit")?;
    names(&client.get("/messages?type=carrier_pigeon").await?, "/query/type")?;
    names(&client.get("/messages?status=unknown").await?, "/query/status")?;
    names(&client.get(&format!("/messages?q={}", "x".repeat(257))).await?, "/query/q")?;
    names(&client.get("/messages?q=a+b+c+d+e+f+g+h+i").await?, "/query/q")?;
    names(&client.get("/messages?q=a&cursor=bm90aGluZw").await?, "/query/cursor")?;
    names(&client.get("/messages?limit=201").await?, "/query/limit")?;
    names(&client.get("/messages?cursor=%25").await?, "/query/cursor")?;
    ensure!(client.get("/messages?colour=red").await?.status == 422);
    names(&client.get("/messages/msg_x").await?, "/path/id")?;
    is_problem(&client.get("/messages/msg_00000000000000000000000000").await?, 404, "not_found")?;
    is_problem(&client.get("/nowhere").await?, 404, "not_found")?;
    is_problem(&client.put("/messages", json!({})).await?, 405, "method_not_allowed")?;

    for url in [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "http://[fe80::1]/",
        "ftp://example.com/",
        "nowhere",
    ] {
        names(&client.post("/webhooks", json!({ "url": url, "events": ["*"] })).await?, "/url")?;
    }
    names(
        &client
            .post("/webhooks", json!({ "url": "https://example.com", "events": ["message.recieved"] }))
            .await?,
        "/events",
    )?;
    names(
        &client.post_with("/messages", &[("idempotency-key", "with space")], json!({})).await?,
        "/header/Idempotency-Key",
    )?;

    names(&client.post("/sandbox/phones", json!({ "number": "+05550001111" })).await?, "/number")?;
    names(&client.post("/sandbox/phones", json!({ "number": FRIEND, "colour": "red" })).await?, "/colour")?;
    client.make_phone(FRIEND).await?;
    let behaviour = format!("/sandbox/phones/{FRIEND}/behaviour");
    names(&client.put(&behaviour, json!({ "online": "yes" })).await?, "/online")?;
    names(&client.put(&behaviour, json!({ "typing_ms": -1 })).await?, "/typing_ms")?;
    names(&client.put(&behaviour, json!({ "reply": { "text": "" } })).await?, "/reply/text")?;
    names(&client.post("/sandbox/faults", json!({ "kind": "earthquake" })).await?, "/kind")?;
    names(&client.post("/sandbox/faults", json!({ "kind": "duplicate", "count": 0 })).await?, "/count")?;
    let unlinked = json!({ "kind": "duplicate", "session_id": session });
    names(&client.post("/sandbox/faults", unlinked).await?, "/session_id")?;
    let both = json!({ "kind": "slow_phone", "session_id": session, "number": FRIEND });
    names(&client.post("/sandbox/faults", both).await?, "/number")?;
    let late = json!({ "kind": "slow_phone", "number": FRIEND, "delay_ms": 0 });
    names(&client.post("/sandbox/faults", late).await?, "/delay_ms")?;
    let slow = json!({ "kind": "slow_phone", "number": FRIEND, "delay_ms": 5, "count": 3 });
    ensure!(client.post("/sandbox/faults", slow).await?.status == 202);
    let faults = client.all("/sandbox/faults").await?;
    ensure!(faults.len() == 1 && faults[0]["number"] == FRIEND && faults[0]["struck"] == 0, "{faults:?}");
    let scanned = client.post(&format!("/sandbox/phones/{FRIEND}/scan"), json!({ "qr": "x" })).await?;
    is_problem(&scanned, 422, "invalid_qr")?;
    let nobody = client.get("/sandbox/phones/+15559999999/inbox").await?;
    is_problem(&nobody, 404, "phone_not_found")?;
    for code in ["invalid_qr", "phone_not_found", "rate_limited"] {
        let page = client.raw(Method::GET, &format!("/api/docs/problems/{code}"), &[], None).await?;
        ensure!(page.status == 200, "{code}: {page:?}");
    }
    is_problem(&client.raw(Method::GET, "/api/docs/nothing.js", &[], None).await?, 404, "not_found")?;

    let listed = client.all("/messages").await?;
    ensure!(listed.len() == 1, "only the one valid message is there: {}", listed.len());
    Ok(())
}

#[tokio::test]
async fn what_asks_for_nothing_special_is_accepted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let made = client.post("/sessions", json!({ "name": "shop", "start": false })).await?;
    let session = made.body["id"].as_str().context("an id")?;
    // What a client sends that fills in every field.
    let body = json!({
        "session_id": session, "to": FRIEND, "type": "text", "text": "Grüße aus Köln", "link_preview": true,
        "reply_to": null, "mentions": [], "send_at": null, "expires_at": null, "view_once": false, "metadata": null,
    });
    let sent = client.post("/messages", body).await?;
    ensure!(sent.status == 202, "{sent:?}");
    let id = sent.body["id"].as_str().context("an id")?;
    for (query, found) in [
        ("q=GR%C3%9C%C3%9FE", 1),
        ("q=k%C3%B6ln&status=queued&type=text&direction=out", 1),
        ("q=hamburg", 0),
        ("status=scheduled", 0),
        ("status=read", 0),
        ("type=image", 0),
    ] {
        eventually(query, || async {
            let listed = client.get(&format!("/messages?{query}")).await?;
            ensure!(listed.status == 200, "{listed:?}");
            Ok((listed.body["data"].as_array().is_some_and(|data| data.len() == found)).then_some(()))
        })
        .await?;
    }
    let timeline = client.get(&format!("/messages/{id}/timeline?limit=1")).await?;
    ensure!(timeline.status == 200 && timeline.body["data"][0]["status"] == "queued", "{timeline:?}");

    for (path, body, other, status) in [
        ("/sandbox/phones", json!({ "number": FRIEND }), json!({ "number": "+15550003333" }), 201),
        ("/sandbox/faults", json!({ "kind": "lose_ack" }), json!({ "kind": "duplicate" }), 202),
    ] {
        let key = [("idempotency-key", "once")];
        let first = client.post_with(path, &key, body.clone()).await?;
        ensure!(first.status == status && !first.headers.contains_key("idempotent-replayed"), "{first:?}");
        let again = client.post_with(path, &key, body).await?;
        ensure!(again.status == status && again.body == first.body, "{again:?}");
        ensure!(again.headers["idempotent-replayed"] == "true", "{again:?}");
        is_problem(&client.post_with(path, &key, other).await?, 409, "idempotency_conflict")?;
    }
    let faults = client.get("/sandbox/faults").await?;
    ensure!(
        faults.body["data"].as_array().is_some_and(|data| data.len() == 1)
            && faults.body["next_cursor"].is_null(),
        "{faults:?}"
    );
    Ok(())
}

#[tokio::test]
async fn who_may_not_is_told_so_before_the_body_is_looked_at() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let garbage = || Some(b"not json".to_vec());
    let refused = client
        .raw(Method::POST, "/api/v1/messages", &[("authorization", "Bearer nothing")], garbage())
        .await?;
    is_problem(&refused, 401, "unauthorized")?;
    let key = &waxwing.credentials.api_key;
    for wrong in [
        format!("{key}x"),
        key[..key.len() - 1].to_owned(),
        key.replace("wx_test_", "wx_live_"),
        "wx_test_".to_owned(),
        "é".to_owned(),
    ] {
        ensure!(
            client.with_key(&wrong).get("/sessions").await.map_or(true, |answer| answer.status == 401),
            "{wrong}"
        );
    }
    let by_header = client
        .raw(Method::GET, "/api/v1/sessions", &[("authorization", "Basic x"), ("x-api-key", key)], None)
        .await?;
    ensure!(by_header.status == 200, "{by_header:?}");

    // A flood of bad keys is refused one by one, and the good one still works.
    let bad = client.with_key("wx_test_aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    let mut refusals = 0;
    for _ in 0..100 {
        let requests: Vec<_> = (0..100)
            .map(|_| {
                tokio::spawn({
                    let bad = bad.clone();
                    async move { bad.get("/sessions").await }
                })
            })
            .collect();
        for request in requests {
            refusals += usize::from(request.await??.status == 401);
        }
    }
    assert_eq!(refusals, 10_000);
    ensure!(client.get("/sessions").await?.status == 200);
    Ok(())
}

#[tokio::test]
async fn another_account_sees_nothing_of_ours() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let made = client.post("/sessions", json!({ "name": "shop", "start": false })).await?;
    let session = made.body["id"].as_str().context("an id")?;
    let sent = client
        .post("/messages", json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "ours" }))
        .await?;
    let message = sent.body["id"].as_str().context("an id")?;
    let hook = client.post("/webhooks", json!({ "url": "http://127.0.0.1:9/", "events": ["*"] })).await?;
    let hook = hook.body["id"].as_str().context("an id")?;
    client.make_phone(FRIEND).await?;

    let output = Command::new(binary()?)
        .args(["admin", "account", "create", "--name", "Other", "--email", "other@example.com", "--data-dir"])
        .arg(folder.path())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout)?;
    let other: Client = client.with_key(made["api_key"].as_str().context("a key")?);
    ensure!(made["account_id"] != waxwing.credentials.account_id);
    let figures = async |client: &Client| client.raw(Method::GET, "/metrics", &[], None).await;
    ensure!(figures(&client).await?.status == 200);
    is_problem(&figures(&other).await?, 403, "forbidden")?;

    for path in [
        format!("/sessions/{session}"),
        format!("/sessions/{session}/qr"),
        format!("/messages/{message}"),
        format!("/messages/{message}/timeline"),
        format!("/webhooks/{hook}"),
        format!("/messages?session_id={session}"),
        format!("/sandbox/phones/{FRIEND}/inbox"),
    ] {
        let answer = other.get(&path).await?;
        ensure!(answer.status == 404, "{path}: {answer:?}");
    }
    for action in ["start", "stop", "restart", "logout"] {
        let answer =
            other.raw(Method::POST, &format!("/api/v1/sessions/{session}/{action}"), &[], None).await?;
        ensure!(answer.status == 404, "{action}: {answer:?}");
    }
    for path in [format!("/sessions/{session}"), format!("/webhooks/{hook}")] {
        ensure!(
            other.raw(Method::DELETE, &format!("/api/v1{path}"), &[], None).await?.status == 404,
            "{path}"
        );
    }
    let foreign = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "theirs" });
    is_problem(&other.post("/messages", foreign).await?, 404, "not_found")?;
    let foreign = json!({ "url": "http://127.0.0.1:9/", "events": ["*"], "session_ids": [session] });
    is_problem(&other.post("/webhooks", foreign).await?, 404, "not_found")?;
    for list in ["/sessions", "/messages", "/webhooks", "/sandbox/phones", "/sandbox/ledger"] {
        ensure!(other.all(list).await?.is_empty(), "{list}");
    }
    // The same name and number are free there.
    ensure!(other.post("/sessions", json!({ "name": "shop", "start": false })).await?.status == 201);
    other.make_phone(FRIEND).await?;
    let again = Command::new(binary()?)
        .args(["admin", "account", "create", "--name", "Other", "--email", "OTHER@example.com", "--data-dir"])
        .arg(folder.path())
        .output()?;
    ensure!(!again.status.success(), "an address belongs to one user");
    Ok(())
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let second = Command::new(binary()?)
        .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path())
        .output()?;
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    ensure!(!second.status.success() && text.contains(&waxwing.pid().to_string()), "{text}");
    ensure!(waxwing.client()?.is_ready().await);
    Ok(())
}

#[tokio::test]
async fn a_damaged_database_is_refused_with_its_name() -> Result<()> {
    let folder = tempfile::tempdir()?;
    Waxwing::start(folder.path()).await?.stop().await?;
    let file = folder.path().join("waxwing.db");
    let mut bytes = std::fs::read(&file)?;
    bytes.iter_mut().skip(16).take(4_000).for_each(|byte| *byte = 0xA5);
    std::fs::write(&file, bytes)?;
    let output = Command::new(binary()?)
        .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path())
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success() && text.contains("waxwing.db"), "{text}");
    Ok(())
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_half_done_and_reading_goes_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let made = waxwing.client()?.post("/sessions", json!({ "name": "shop", "start": false })).await?;
    let session = made.body["id"].as_str().context("an id")?.to_owned();
    waxwing.stop().await?;
    let pages = std::fs::metadata(folder.path().join("waxwing.db"))?.len() / 4_096 + 100;
    let waxwing = Waxwing::start_with(folder.path(), &["--max-page-count", &pages.to_string()]).await?;
    let client = waxwing.client()?;
    let mut accepted = Vec::new();
    let full = eventually("a full disk", || async {
        let body = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "x".repeat(4_000) });
        let answer = client.post("/messages", body).await?;
        Ok(Some(answer))
    });
    let mut last = full.await?;
    while last.status == 202 {
        accepted.push(last.body["id"].as_str().context("an id")?.to_owned());
        ensure!(accepted.len() < 5_000, "the limit was not reached");
        let body = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "x".repeat(4_000) });
        last = client.post("/messages", body).await?;
    }
    is_problem(&last, 503, "unavailable")?;
    for id in &accepted {
        ensure!(
            client.get(&format!("/messages/{id}")).await?.status == 200,
            "{id} was accepted and is there"
        );
    }
    waxwing.kill()?;
    // With room again, everything that was accepted is there and the projections catch up.
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    eventually("the whole list", || async {
        Ok((client.all("/messages").await?.len() == accepted.len()).then_some(()))
    })
    .await
}
