use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use serde_json::{Value, json};
use waxwing_signed_http::{Answer, Client, SigningKey};

use crate::support::{ACCOUNT, KEY, START_MS, Served};

fn client(served: &Served, key: [u8; 32]) -> Result<Client> {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let drawn = AtomicU64::new(1);
    let nonces = Arc::new(move || u128::from(drawn.fetch_add(1, Ordering::Relaxed)).to_be_bytes());
    Ok(Client::new(
        &served.base_url,
        SigningKey::from_bytes(&key)?,
        reqwest::Client::builder().build()?,
        Arc::new(|| START_MS / 1_000),
        nonces,
    ))
}

async fn call(client: &Client, method: http::Method, path: &str, body: Option<Value>) -> Result<Answer> {
    Ok(client.call(method, &format!("/internal/networks/{ACCOUNT}{path}"), body.as_ref(), &[]).await?)
}

#[tokio::test]
async fn an_unsigned_or_wrongly_signed_request_is_401() -> Result<()> {
    let served = Served::in_memory().await?;
    let stranger = client(&served, [8; 32])?;
    let unsigned = reqwest::Client::builder().build()?;
    let answer = call(&stranger, http::Method::GET, "", None).await?;
    assert_eq!((answer.status, answer.body["code"].as_str()), (401, Some("bad_signature")));
    let answer = unsigned.get(format!("{}/internal/networks/{ACCOUNT}", served.base_url)).send().await?;
    assert_eq!(answer.status(), 401);
    Ok(())
}

#[tokio::test]
async fn phones_are_made_listed_and_changed() -> Result<()> {
    let served = Served::in_memory().await?;
    let client = client(&served, KEY)?;
    let answer = call(&client, http::Method::GET, "", None).await?;
    assert_eq!(answer.status, 200);
    assert!(answer.body["token"].as_str().is_some_and(|token| token.len() >= 32));

    let body = json!({ "number": "+15550001111", "name": "Ada" });
    let answer = call(&client, http::Method::POST, "/phones", Some(body.clone())).await?;
    assert_eq!(answer.status, 201);
    assert_eq!(
        (answer.body["number"].as_str(), answer.body["online"].as_bool()),
        (Some("+15550001111"), Some(true))
    );
    assert_eq!(call(&client, http::Method::POST, "/phones", Some(body)).await?.status, 200);
    for number in ["+15550002222", "15550003333"] {
        call(&client, http::Method::POST, "/phones", Some(json!({ "number": number }))).await?;
    }
    let first = call(&client, http::Method::GET, "/phones?limit=2", None).await?.body;
    assert_eq!(first["data"].as_array().map(Vec::len), Some(2));
    let cursor = first["next_cursor"].as_str().unwrap_or_default();
    let second =
        call(&client, http::Method::GET, &format!("/phones?limit=2&cursor={cursor}"), None).await?.body;
    assert_eq!(
        (second["data"][0]["number"].as_str(), second["next_cursor"].is_null()),
        (Some("+15550003333"), true)
    );

    let path = "/phones/%2B15550001111/behaviour";
    let answer = call(
        &client,
        http::Method::PUT,
        path,
        Some(json!({ "read_after_ms": 5, "reply": { "text": "hi" } })),
    )
    .await?;
    assert_eq!(
        answer.body,
        json!({ "online": true, "read_after_ms": 5, "reply": { "text": "hi" }, "typing_ms": 0 })
    );
    call(&client, http::Method::PUT, path, Some(json!({ "read_after_ms": null, "reply": "echo" }))).await?;
    let answer = call(&client, http::Method::GET, "/phones/15550001111/behaviour", None).await?;
    assert_eq!(
        answer.body,
        json!({ "online": true, "read_after_ms": null, "reply": "echo", "typing_ms": 0 })
    );
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_is_said_with_a_code() -> Result<()> {
    let served = Served::in_memory().await?;
    let client = client(&served, KEY)?;
    let post = |path: &'static str, body: Value| call(&client, http::Method::POST, path, Some(body));
    post("/phones", json!({ "number": "+15550001111" })).await?;
    for (path, body, status, code) in [
        ("/phones", json!({ "number": "12" }), 422, "validation_failed"),
        ("/phones", json!({ "number": "+05550002222" }), 422, "validation_failed"),
        ("/phones", json!({ "number": "+15550002222", "colour": "red" }), 422, "validation_failed"),
        ("/phones/+15559999999/scan", json!({ "qr": "x" }), 404, "phone_not_found"),
        ("/phones/+15550001111/scan", json!({ "qr": "x" }), 422, "invalid_qr"),
        ("/phones/+15550001111/enter-code", json!({ "code": "x" }), 422, "validation_failed"),
        ("/phones/+15550001111/enter-code", json!({ "code": "ABCD-1234" }), 409, "no_code_shown"),
        (
            "/phones/+15550001111/messages",
            json!({ "to": "+15559999999", "type": "text", "text": "x" }),
            404,
            "phone_not_found",
        ),
        (
            "/phones/+15550001111/messages",
            json!({ "to": "+15550001111", "type": "hologram" }),
            422,
            "not_supported",
        ),
        (
            "/phones/+15550001111/messages",
            json!({ "to": "+15550001111", "type": "reaction", "text": "x" }),
            422,
            "validation_failed",
        ),
        (
            "/phones/+15550001111/messages",
            json!({ "to": "+15550001111", "type": "delete", "target": "unknown" }),
            404,
            "message_not_found",
        ),
        ("/faults", json!({ "kind": "anything" }), 422, "not_supported"),
    ] {
        let answer = post(path, body).await?;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (status, Some(code)),
            "{path} {:?}",
            answer.body
        );
    }
    let answer = call(&client, http::Method::GET, "/ledger?limit=201", None).await?;
    assert_eq!((answer.status, answer.body["pointer"].as_str()), (422, Some("/limit")));
    Ok(())
}

#[tokio::test]
async fn a_phones_message_with_a_key_is_sent_once() -> Result<()> {
    let served = Served::in_memory().await?;
    let client = client(&served, KEY)?;
    for number in ["+15550001111", "+15550002222"] {
        call(&client, http::Method::POST, "/phones", Some(json!({ "number": number }))).await?;
    }
    let path = format!("/internal/networks/{ACCOUNT}/phones/15550001111/messages");
    let send = |text: &'static str| {
        let (client, path) = (client.clone(), path.clone());
        async move {
            client
                .call(
                    http::Method::POST,
                    &path,
                    Some(&json!({ "to": "+15550002222", "type": "text", "text": text })),
                    &[("idempotency-key", "k1")],
                )
                .await
        }
    };
    let first = send("hello").await?;
    assert_eq!(
        (first.status, first.replayed, first.body["from"].as_str()),
        (202, false, Some("+15550001111"))
    );
    let again = send("hello").await?;
    assert_eq!((again.status, again.replayed, &again.body), (202, true, &first.body));
    let other = send("another text").await?;
    assert_eq!((other.status, other.body["code"].as_str()), (409, Some("idempotency_conflict")));
    let inbox = call(&client, http::Method::GET, "/phones/15550002222/inbox", None).await?.body;
    assert_eq!(inbox["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (inbox["data"][0]["chat"].as_str(), inbox["data"][0]["type"].as_str()),
        (Some("+15550001111"), Some("text"))
    );
    let ledger = call(&client, http::Method::GET, "/ledger", None).await?.body;
    assert_eq!(
        (ledger["data"][0]["accepted"].as_i64(), ledger["data"][0]["delivered"].as_i64()),
        (Some(1), Some(1))
    );
    Ok(())
}

#[tokio::test]
async fn phones_and_faults_with_a_key_are_made_once() -> Result<()> {
    let served = Served::in_memory().await?;
    let client = client(&served, KEY)?;
    let post = |path: &'static str, body: Value| {
        let client = client.clone();
        async move {
            let path = format!("/internal/networks/{ACCOUNT}{path}");
            client.call(http::Method::POST, &path, Some(&body), &[("idempotency-key", "k1")]).await
        }
    };
    let ada = json!({ "number": "+15550001111", "name": "Ada" });
    let first = post("/phones", ada.clone()).await?;
    assert_eq!((first.status, first.replayed), (201, false));
    let again = post("/phones", ada).await?;
    assert_eq!((again.status, again.replayed, &again.body), (201, true, &first.body));
    let other = post("/phones", json!({ "number": "+15550002222" })).await?;
    assert_eq!((other.status, other.body["code"].as_str()), (409, Some("idempotency_conflict")));

    // The key is free on another route.
    let fault = json!({ "kind": "lose_ack", "count": 3 });
    let first = post("/faults", fault.clone()).await?;
    assert_eq!((first.status, first.replayed), (202, false));
    let again = post("/faults", fault).await?;
    assert_eq!((again.status, again.replayed), (202, true));
    let listed = call(&client, http::Method::GET, "/faults", None).await?.body;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
    assert!(listed["next_cursor"].is_null() && listed["data"][0]["remaining"] == 3);
    Ok(())
}

#[tokio::test]
async fn a_phone_reaches_another_by_its_hidden_address() -> Result<()> {
    let served = Served::in_memory().await?;
    let (ada, bob) = (served.phone("+15550001111").await?, served.phone("+15550002222").await?);
    let lid = served.network().create_phone("+15550002222", None).await?.0.lid;
    let sent = ada.send_text(&lid, "hello").await?;
    assert_eq!(sent.to, "+15550002222");
    assert_eq!(bob.inbox().await?.len(), 1);
    let nobody = ada.send_text("100000000000000@lid", "hello").await.unwrap_err();
    assert_eq!((nobody.status, nobody.code, nobody.pointer), (404, "phone_not_found", Some("/to")));
    Ok(())
}

#[tokio::test]
async fn groups_files_profiles_and_faults_are_reached_over_http() -> Result<()> {
    let served = Served::in_memory().await?;
    let client = client(&served, KEY)?;
    let ask = |method: http::Method, path: String, body: Option<Value>| {
        let client = client.clone();
        async move { call(&client, method, &path, body).await }
    };
    for number in ["+15550001111", "+15550002222", "+15550003333"] {
        ask(http::Method::POST, "/phones".into(), Some(json!({ "number": number }))).await?;
    }
    let groups = "/phones/15550001111/groups";
    let body = json!({ "subject": "Club", "participants": ["+15550002222"], "description": "Ours" });
    let made = ask(http::Method::POST, groups.into(), Some(body)).await?;
    assert_eq!((made.status, made.body["description"].as_str()), (201, Some("Ours")));
    let jid = made.body["jid"].as_str().unwrap_or_default().to_owned();
    let group = format!("{groups}/{jid}");
    let listed = ask(http::Method::GET, groups.into(), None).await?.body;
    assert_eq!(listed["data"], json!([made.body]));

    let add = json!({ "action": "add", "participants": ["+15550003333", "+15550002222"] });
    let added = ask(http::Method::POST, format!("{group}/participants"), Some(add)).await?;
    assert_eq!(added.body["data"][0], json!({ "number": "+15550003333", "error": null }));
    assert_eq!(added.body["data"][1]["error"], 409);
    let wrong = json!({ "action": "praise", "participants": [] });
    let wrong = ask(http::Method::POST, format!("{group}/participants"), Some(wrong)).await?;
    assert_eq!((wrong.status, wrong.body["pointer"].as_str()), (422, Some("/action")));
    let changed = ask(http::Method::PATCH, group.clone(), Some(json!({ "locked": true }))).await?;
    assert_eq!((changed.status, changed.body["locked"].as_bool()), (200, Some(true)));
    let code = ask(http::Method::GET, format!("{group}/invite"), None).await?.body["code"].clone();
    let left = ask(http::Method::POST, format!("/phones/15550003333/groups/{jid}/leave"), None).await?;
    assert_eq!(left.status, 204);
    let joined =
        ask(http::Method::POST, "/phones/15550003333/groups/join".into(), Some(json!({ "code": code })))
            .await?;
    assert_eq!((joined.status, joined.body["jid"].as_str()), (200, Some(jid.as_str())));
    let renewed = ask(http::Method::POST, format!("{group}/invite"), None).await?;
    assert!(renewed.status == 200 && renewed.body["code"] != code);

    let picture = json!({ "to": jid, "type": "image", "media": { "data": "AQID" }, "caption": "see" });
    let sent = ask(http::Method::POST, "/phones/15550002222/messages".into(), Some(picture)).await?;
    assert_eq!((sent.status, sent.body["type"].as_str()), (202, Some("image")));
    let inbox = ask(http::Method::GET, "/phones/15550003333/inbox".into(), None).await?.body;
    let entry = &inbox["data"][0];
    assert_eq!((entry["chat"].as_str(), entry["text"].as_str()), (Some(jid.as_str()), Some("see")));
    assert_eq!(
        (entry["media"]["size_bytes"].as_u64(), entry["media"]["state"].as_str()),
        (Some(3), Some("ok"))
    );
    let wrong = json!({ "to": jid, "type": "image", "media": { "data": "?" } });
    let wrong = ask(http::Method::POST, "/phones/15550002222/messages".into(), Some(wrong)).await?;
    assert_eq!((wrong.status, wrong.body["pointer"].as_str()), (422, Some("/media/data")));

    let profile = json!({ "name": "Ada", "about": "here", "picture": "AQID", "present": true });
    let shown = ask(http::Method::PUT, "/phones/15550001111/profile".into(), Some(profile)).await?;
    assert_eq!((shown.status, shown.body["about"].as_str()), (200, Some("here")));
    assert_eq!(ask(http::Method::GET, "/phones/15550001111/profile".into(), None).await?.body, shown.body);
    let hidden = json!({ "privacy": { "about": "none", "groups": "contacts" } });
    let hidden = ask(http::Method::PUT, "/phones/15550001111/profile".into(), Some(hidden)).await?;
    let privacy = &hidden.body["privacy"];
    assert_eq!((privacy["about"].as_str(), privacy["picture"].as_str()), (Some("none"), Some("all")));
    for wrong in [json!({ "about": "everybody" }), json!({ "shoes": "none" })] {
        let body = Some(json!({ "privacy": wrong }));
        let wrong = ask(http::Method::PUT, "/phones/15550001111/profile".into(), body).await?;
        assert_eq!((wrong.status, wrong.body["pointer"].as_str()), (422, Some("/privacy")));
    }
    let linked = ask(http::Method::GET, "/phones/15550001111/companions".into(), None).await?;
    assert_eq!(linked.body, json!({ "data": [], "next_cursor": null }));
    let history =
        ask(http::Method::PUT, "/phones/15550001111/history".into(), Some(json!({ "messages": 10 })));
    assert_eq!(history.await?.status, 204);

    let slow = json!({ "kind": "slow_phone", "number": "+15550001111", "delay_ms": 5, "count": 2 });
    assert_eq!(ask(http::Method::POST, "/faults".into(), Some(slow)).await?.status, 202);
    let text = json!({ "to": "+15550001111", "type": "text", "text": "x" });
    ask(http::Method::POST, "/phones/15550002222/messages".into(), Some(text)).await?;
    let listed = ask(http::Method::GET, "/faults".into(), None).await?.body;
    let fault = &listed["data"][0];
    assert_eq!((fault["struck"].as_i64(), fault["remaining"].as_i64()), (Some(1), Some(1)));
    let counts = ask(http::Method::GET, "/faults/counts".into(), None).await?.body;
    assert_eq!(counts, json!({ "counts": { "slow_phone": 1 } }));
    let one = format!("/faults/{}", fault["id"]);
    assert_eq!(ask(http::Method::DELETE, one.clone(), None).await?.status, 204);
    assert_eq!(ask(http::Method::DELETE, one, None).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn join_requests_chats_and_accounts_are_reached_over_http() -> Result<()> {
    let served = Served::in_memory().await?;
    let client = client(&served, KEY)?;
    let ask = |method: http::Method, path: &str, body: Option<Value>| {
        let (client, path) = (client.clone(), path.to_owned());
        async move { call(&client, method, &path, body).await }
    };
    for number in ["+15550001111", "+15550002222"] {
        ask(http::Method::POST, "/phones", Some(json!({ "number": number }))).await?;
    }
    let made =
        ask(http::Method::POST, "/phones/15550001111/groups", Some(json!({ "subject": "Club" }))).await?;
    let group = format!("/phones/15550001111/groups/{}", made.body["jid"].as_str().unwrap_or_default());
    let changed = ask(http::Method::PATCH, &group, Some(json!({ "approval": true }))).await?;
    assert_eq!((changed.status, changed.body["approval"].as_bool()), (200, Some(true)));
    let code = ask(http::Method::GET, &format!("{group}/invite"), None).await?.body["code"].clone();
    let join = json!({ "code": code });
    assert_eq!(ask(http::Method::POST, "/phones/15550002222/groups/join", Some(join)).await?.status, 202);
    let requests = format!("{group}/join-requests");
    let waiting = ask(http::Method::GET, &requests, None).await?.body;
    assert_eq!(waiting["data"][0]["number"], "+15550002222");
    let answer = json!({ "approve": true, "participants": ["+15550002222"] });
    let answered = ask(http::Method::POST, &requests, Some(answer)).await?.body;
    assert_eq!(answered["data"][0], json!({ "number": "+15550002222", "error": null }));

    let mute = json!({ "chat": "+15550002222", "change": { "type": "mute", "on": true } });
    let changes = "/phones/15550001111/chat-changes";
    assert_eq!(ask(http::Method::POST, changes, Some(mute)).await?.status, 204);
    let star = json!({ "chat": "+15550002222", "change": { "type": "star", "message": "x", "on": true } });
    let wrong = ask(http::Method::POST, changes, Some(star)).await?;
    assert_eq!((wrong.status, wrong.body["pointer"].as_str()), (404, Some("/message")));
    let business = json!({ "profile": { "description": "We mend boats" } });
    let set = ask(http::Method::PUT, "/phones/15550001111/business", Some(business)).await?;
    assert_eq!(set.status, 204);
    assert_eq!(ask(http::Method::POST, "/phones/15550001111/register-again", None).await?.status, 204);
    let moved = json!({ "number": "+15550009999" });
    assert_eq!(ask(http::Method::PUT, "/phones/15550001111/number", Some(moved.clone())).await?.status, 204);
    let wrong = ask(http::Method::PUT, "/phones/15550002222/number", Some(moved)).await?;
    assert_eq!((wrong.status, wrong.body["code"].as_str()), (409, Some("number_taken")));
    assert_eq!(ask(http::Method::GET, "/phones/15550001111/inbox", None).await?.status, 404);
    assert_eq!(ask(http::Method::GET, "/phones/15550009999/inbox", None).await?.status, 200);
    Ok(())
}
