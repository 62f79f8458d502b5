//! Hostile requests: each is refused in a way that the contract names, and whoever is in the right goes on.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use waxwing_tests_api::{Answer, Client, DEADLINE, Waxwing};

use crate::auth::{PASSWORD, is, login, mailed, stranger, text, verified};

const ADA: &str = "ada@example.com";
const TRUSTING: &[&str] = &["--trusted-proxies", "127.0.0.0/8"];

/// A POST below `/api/v1` from an address, as a trusted proxy tells it.
async fn from(client: &Client, address: &str, path: &str, body: Value) -> Result<Answer> {
    let headers = [("authorization", "none"), ("x-forwarded-for", address)];
    client.post_with(path, &headers, body).await
}

async fn sign_in_from(client: &Client, address: &str, email: &str, password: &str) -> Result<Answer> {
    from(client, address, "/auth/login", json!({ "email": email, "password": password })).await
}

fn waits(answer: &Answer, at_most: u32) -> Result<()> {
    is(answer, 429, "rate_limited")?;
    let wait: u32 = answer.headers["retry-after"].to_str()?.parse()?;
    ensure!((1..=at_most).contains(&wait) && answer.headers["ratelimit-remaining"] == "0", "{answer:?}");
    Ok(())
}

/// Answers to bytes that no client library would send, until the server closes the connection or pauses.
async fn sent(client: &Client, request: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(client.base_url().trim_start_matches("http://")).await?;
    // A server that has seen enough closes before all is there.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(DEADLINE, read).await.context("the connection was never closed")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn guessing_is_slow_from_one_address_and_the_owner_gets_in_from_a_known_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start_with(folder.path(), TRUSTING).await?;
    let operator = waxwing.client()?;
    verified(&operator, ADA).await?;
    let (home, attacker) = ("198.51.100.1", "203.0.113.9");
    ensure!(sign_in_from(&operator, home, ADA, PASSWORD).await?.status == 200);

    // All at once, since one after the other would be slower.
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..40 {
        let client = operator.clone();
        tries.spawn(async move { sign_in_from(&client, attacker, ADA, &format!("guess {number}")).await });
    }
    let answers = tries.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    let (refused, wrong): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 429);
    ensure!((20..=22).contains(&wrong.len()), "{} guesses were looked at", wrong.len());
    for answer in wrong {
        is(answer, 401, "invalid_credentials")?;
    }
    for answer in refused {
        waits(answer, 60)?;
    }
    // The right password is not told apart from a wrong one then, and an address that nobody has is no other.
    waits(&sign_in_from(&operator, attacker, ADA, PASSWORD).await?, 60)?;
    is(&sign_in_from(&operator, attacker, "nobody@example.com", "guess").await?, 401, "invalid_credentials")?;
    // The owner does not notice.
    ensure!(sign_in_from(&operator, home, ADA, PASSWORD).await?.status == 200);
    ensure!(sign_in_from(&operator, home, "ADA@example.com", PASSWORD).await?.status == 200);
    // Nor after a restart, which forgets the guesses and not the address.
    waxwing.stop().await?;
    let waxwing = Waxwing::start_with(folder.path(), TRUSTING).await?;
    let operator = waxwing.client()?;

    // Many addresses, each a few times: strangers wait for each other.
    let mut looked_at = 0;
    for number in 0..130 {
        let address = format!("203.0.113.{number}");
        let answer = sign_in_from(&operator, &address, ADA, "guess").await?;
        match answer.status {
            429 => waits(&answer, 60)?,
            _ => {
                is(&answer, 401, "invalid_credentials")?;
                looked_at += 1;
            },
        }
    }
    ensure!((100..=105).contains(&looked_at), "{looked_at} guesses were looked at");
    waits(&sign_in_from(&operator, "192.0.2.1", ADA, PASSWORD).await?, 60)?;
    ensure!(sign_in_from(&operator, home, ADA, PASSWORD).await?.status == 200, "from where she was before");
    // From a new place she proves the mailbox, and is known there.
    let forgot = from(&operator, "192.0.2.1", "/auth/forgot-password", json!({ "email": ADA })).await?;
    ensure!(forgot.status == 202, "{forgot:?}");
    let token = mailed(&operator, ADA, "password").await?;
    let body = json!({ "token": token, "password": "battery staple" });
    ensure!(from(&operator, "192.0.2.1", "/auth/reset-password", body).await?.status == 200);
    ensure!(sign_in_from(&operator, "192.0.2.1", ADA, "battery staple").await?.status == 200);
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn stuffing_and_tokens_are_slow_and_so_is_the_password_of_a_stolen_sign_in() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start_with(folder.path(), TRUSTING).await?;
    let operator = waxwing.client()?;
    verified(&operator, ADA).await?;
    let tokens = sign_in_from(&operator, "198.51.100.1", ADA, PASSWORD).await?;

    // One password for each of many users, from one address, all at once.
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..120 {
        let client = operator.clone();
        tries.spawn(async move {
            let email = format!("{number}@example.com");
            sign_in_from(&client, "203.0.113.9", &email, "leaked password").await
        });
    }
    let answers = tries.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    ensure!(answers.iter().all(|answer| matches!(answer.status, 401 | 429)), "{answers:?}");
    let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
    ensure!((100..=115).contains(&looked_at), "{looked_at} guesses were looked at");
    // Tokens count there, too; elsewhere nobody waits.
    let refresh = json!({ "refresh_token": "guess" });
    let verify = json!({ "token": "x".repeat(69) });
    for (path, body) in [("/auth/refresh", &refresh), ("/auth/verify-email", &verify)] {
        let mut answer = from(&operator, "203.0.113.9", path, body.clone()).await?;
        for _ in 0..20 {
            // A few tokens have come meanwhile.
            if answer.status == 429 {
                break;
            }
            answer = from(&operator, "203.0.113.9", path, body.clone()).await?;
        }
        waits(&answer, 6)?;
    }
    is(&from(&operator, "203.0.113.10", "/auth/refresh", refresh).await?, 401, "unauthorized")?;

    // Whoever holds a sign-in does not get to guess the password by way of the profile.
    let access_token = text(&tokens, "access_token")?;
    let authorization = format!("Bearer {access_token}");
    let headers = [("authorization", authorization.as_str()), ("x-forwarded-for", "203.0.113.77")];
    for number in 0..20 {
        let body = json!({ "password": format!("guess {number}"), "new_password": "battery staple" });
        is(&operator.post_with("/me/password", &headers, body).await?, 403, "wrong_password")?;
    }
    for (path, body) in [
        ("/me/password", json!({ "password": PASSWORD, "new_password": "battery staple" })),
        ("/me/email", json!({ "password": PASSWORD, "email": "eve@example.com" })),
        ("/me/totp", json!({ "password": PASSWORD })),
    ] {
        waits(&operator.post_with(path, &headers, body).await?, 60)?;
    }
    ensure!(login(&operator, ADA, PASSWORD).await?.status == 200, "and nothing was changed");
    // Mails that strangers cause.
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..30 {
        let client = operator.clone();
        tries.spawn(async move {
            let body = json!({ "email": format!("{number}@example.com") });
            from(&client, "203.0.113.88", "/auth/forgot-password", body).await
        });
    }
    let answers = tries.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    let accepted = answers.iter().filter(|answer| answer.status == 202).count();
    ensure!((20..=25).contains(&accepted), "{accepted} mails");
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn paths_and_headers_that_smuggle_are_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let key = &waxwing.credentials.api_key;
    let id = "ses_00000000000000000000000000";
    for path in [
        "/api/v1/sessions/..%2f..%2fadmin%2fmail".to_owned(),
        format!("/api/v1/sessions/{id}%2fqr"),
        format!("/api/v1/sessions/{id}%00"),
        format!("/api/v1/sessions/{id}%0d%0aX-Injected:%201"),
        "/api/v1/sessions/%ff%fe".to_owned(),
        format!("/api/v1/sessions/{}", "x".repeat(8_000)),
        "/api/v1//sessions".to_owned(),
        "/api/v1/./sessions".to_owned(),
        "/api/v1/sessions/../sessions".to_owned(),
        "/api/v1/sessions%3flimit=1".to_owned(),
        "/api/v1/messages?q=%00".to_owned(),
        "/api/v1/messages?q=%ff".to_owned(),
        format!("/api/v1/messages?cursor={}", "A".repeat(8_000)),
        "/api/docs/../../etc/passwd".to_owned(),
        "/api/docs/..%2f..%2fetc%2fpasswd".to_owned(),
        "/api/docs/problems/%3Cscript%3E".to_owned(),
        "/internal/admin/accounts".to_owned(),
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
        );
        let answer = sent(&client, request.as_bytes()).await?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        ensure!(
            matches!(status, "200" | "401" | "404" | "405" | "422") && !answer.contains("X-Injected: 1"),
            "{path}: {answer}"
        );
        ensure!(status != "200" || path.contains("?q="), "{path}: {answer}");
        ensure!(!answer.contains("root:") && !answer.contains("<script>"), "{path}: {answer}");
    }
    // What is no HTTP gets 400 of the server itself, or nothing.
    for request in [
        b"GET /api/v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\0b\r\n\r\n".to_vec(),
        b"GET /api/v1/ses sions HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(100),
        format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(100_000)).into_bytes(),
        format!("GET /health HTTP/1.1\r\nHost: x\r\nX-A: {}\r\n\r\n", "x".repeat(100_000)).into_bytes(),
        format!("GET /health HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200)).into_bytes(),
        b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n".to_vec(),
        b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd".to_vec(),
    ] {
        let answer = sent(&client, &request).await?;
        let status = answer.split(' ').nth(1).unwrap_or("none");
        ensure!(matches!(status, "none" | "400" | "401" | "414" | "431"), "{answer}");
    }
    // Nothing of a request is an answer's header.
    let headers = [("idempotency-key", "a\tb"), ("x-request-id", "req_mine"), ("traceparent", "00-zz")];
    let answer = client.post_with("/sessions", &headers, json!({ "name": "shop" })).await?;
    ensure!(answer.status == 422 && answer.headers["x-request-id"] != "req_mine", "{answer:?}");
    ensure!(client.get("/sessions").await?.status == 200);
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn bodies_that_explode_are_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let send = |body: String| {
        let headers = [("content-type", "application/json")];
        let client = client.clone();
        async move { client.raw(Method::POST, "/api/v1/messages", &headers, Some(body.into_bytes())).await }
    };
    let nested =
        |open: &str, close: &str| format!("{{\"x\":{}{}}}", open.repeat(500_000), close.repeat(500_000));
    for body in [
        nested("[", "]"),
        "{\"x\":".repeat(500_000),
        nested("{\"x\":[", "]}"),
        format!("{{\"text\":{}}}", "9".repeat(1_000_000)),
        "{\"text\":1e999999999}".to_owned(),
        "{\"expires_at\":-0.0000000000000000000000000000000000000000000001}".to_owned(),
        format!("{{\"{}\":1}}", "x".repeat(1_000_000)),
        format!("{{\"to\":\"{}\"}}", "9".repeat(1_000_000)),
        format!("{{\"session_id\":\"ses_{}\"}}", "0".repeat(1_000_000)),
        format!("{{\"metadata\":{{{}\"z\":1}}}}", "\"a\":1,".repeat(500_000)),
        format!("{{{}\"text\":\"x\"}}", "\"text\":\"x\",".repeat(200_000)),
        "{\"text\":\"\\ud800\"}".to_owned(),
        "{\"text\":\"\\u0000\"}".to_owned(),
        "\u{feff}{}".to_owned(),
    ] {
        let answer = send(body.clone()).await?;
        let shown: String = body.chars().take(40).collect();
        is(&answer, 422, "validation_failed").with_context(|| shown)?;
        ensure!(answer.body.to_string().len() < 20_000, "an answer does not repeat all of a request");
    }
    ensure!(client.get("/sessions").await?.status == 200);
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn clients_that_send_slowly_are_cut_off_and_hold_up_nobody() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let key = &waxwing.credentials.api_key;
    let head = "GET /api/v1/sessions HTTP/1.1\r\nHost: x\r\n";
    let body = format!(
        "POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: 1000\r\nConnection: close\r\n\r\n{{"
    );
    // Half of a head, half of a body, nothing at all, and a connection that stays open after its request.
    let idle = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut slow = tokio::task::JoinSet::new();
    for (request, expected) in
        [(head, ""), (body.as_str(), "HTTP/1.1 422"), ("", ""), (idle, "HTTP/1.1 200")].repeat(25)
    {
        let (client, request) = (client.clone(), request.to_owned());
        slow.spawn(async move {
            let answer = sent(&client, request.as_bytes()).await?;
            ensure!(answer.starts_with(expected), "{expected}: {answer}");
            anyhow::Ok(())
        });
    }
    while let Some(ended) = slow.join_next().await {
        ensure!(client.get("/sessions").await?.status == 200, "others go on");
        ended??;
    }
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn a_flood_of_idempotency_keys_takes_no_memory() -> Result<()> {
    // In each half; the first fills caches.
    const KEYS: usize = 50_000;
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let made = client.post("/sessions", json!({ "name": "shop", "start": false })).await?;
    let session = text(&made, "id")?;
    let memory_kb = || -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", waxwing.pid()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
        Ok(line.split_whitespace().nth(1).context("a figure")?.parse()?)
    };
    let body = json!({ "session_id": session, "to": "+15550002222", "type": "text", "text": "x" });
    let mut seen = Vec::new();
    for half in 0..2 {
        let mut workers = tokio::task::JoinSet::new();
        for worker in 0..32 {
            let (client, body) = (client.clone(), body.clone());
            workers.spawn(async move {
                for number in (worker..KEYS).step_by(32) {
                    let key = format!("{half}/{number}");
                    let headers = [("idempotency-key", key.as_str())];
                    let answer = client.post_with("/messages", &headers, body.clone()).await?;
                    ensure!(answer.status == 202, "{answer:?}");
                }
                anyhow::Ok(())
            });
        }
        workers.join_all().await.into_iter().collect::<Result<Vec<()>>>()?;
        seen.push(memory_kb()?);
    }
    ensure!(seen[1] < seen[0] + 30 * 1_024, "it grows with each: {seen:?} KB");
    // The first is still known.
    let again = client.post_with("/messages", &[("idempotency-key", "0/0")], body).await?;
    ensure!(again.status == 202 && again.headers["idempotent-replayed"] == "true", "{again:?}");
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn nothing_that_is_secret_stands_in_the_log() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start_logging(folder.path(), "error,waxwing=debug").await?;
    let client = waxwing.client()?;
    let (owner, friend) = ("+15550007771", "+15550007772");
    verified(&client, "recognisable@example.com").await?;
    let tokens = login(&client, "recognisable@example.com", PASSWORD).await?;
    let wrong = login(&client, "recognisable@example.com", "a-wrong-password-of-note").await?;
    ensure!(wrong.status == 401, "{wrong:?}");
    let (access, refresh) = (text(&tokens, "access_token")?, text(&tokens, "refresh_token")?);
    ensure!(client.with_key(access).get("/me").await?.status == 200);
    for _ in 0..2 {
        // The second is a theft, which is told in the log.
        stranger(&client).post("/auth/refresh", json!({ "refresh_token": refresh })).await?;
    }
    let hook = json!({ "url": "http://127.0.0.1:9/?token=hook-token", "events": ["*"] });
    let hook = client.post("/webhooks", hook).await?;
    let session = client.connected_session("shop", owner).await?;
    client.make_phone(friend).await?;
    let body = json!({ "session_id": session, "to": friend, "type": "text", "text": "recognisable text" });
    ensure!(client.post("/messages", body).await?.status == 202);
    let said = json!({ "to": owner, "type": "text", "text": "recognisable answer" });
    let said = client.post(&format!("/sandbox/phones/{friend}/messages"), said).await?;
    ensure!(said.status == 202, "{said:?}");
    waxwing_tests_api::eventually("the answer", || async {
        let listed = client.get("/messages?direction=in").await?;
        Ok(listed.body["data"].as_array().is_some_and(|data| !data.is_empty()).then_some(()))
    })
    .await?;
    let made = client.post("/api-keys", json!({ "name": "x", "mode": "test", "scopes": ["*"] })).await?;
    let secrets = [
        waxwing.credentials.api_key.clone(),
        text(&made, "key")?.to_owned(),
        text(&hook, "secret")?.to_owned(),
        access.to_owned(),
        refresh.to_owned(),
    ];
    let file = folder.path().join("waxwing.log");
    waxwing_tests_api::eventually("a delivery that failed, in detail", || async {
        Ok(std::fs::read_to_string(&file)?.contains("a webhook is tried again").then_some(()))
    })
    .await?;
    waxwing.stop().await?;
    let log = std::fs::read_to_string(file)?;
    ensure!(log.contains("refresh token was used again"), "the log has what it should have");
    let others =
        [PASSWORD, "a-wrong-password-of-note", "recognisable", "5550007771", "5550007772", "hook-token"];
    for secret in secrets.iter().map(String::as_str).chain(others).collect::<HashSet<_>>() {
        let line = log.lines().find(|line| line.contains(secret));
        ensure!(line.is_none(), "{secret} stands in the log: {line:?}");
    }
    Ok(())
}
