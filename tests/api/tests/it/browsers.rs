//! What browsers are told: which sites may call, and what no page may do with an answer.

use anyhow::{Result, ensure};
use http::{HeaderMap, Method};
use serde_json::json;
use waxwing_tests_api::{Answer, Client, Waxwing};

const SITE: &str = "https://app.example.com";

async fn preflight(client: &Client, origin: &str) -> Result<Answer> {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type,idempotency-key"),
    ];
    client.raw(Method::OPTIONS, "/api/v1/messages", &headers, None).await
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn pages_of_named_sites_may_call_and_those_of_others_not() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing =
        Waxwing::start_with(folder.path(), &["--cors-origin", &format!("{SITE},http://127.0.0.1:3000")])
            .await?;
    let client = waxwing.client()?;
    for origin in [SITE, "http://127.0.0.1:3000"] {
        let asked = preflight(&client, origin).await?;
        ensure!(
            asked.status == 200 && text(&asked.headers, "access-control-allow-origin") == origin,
            "{asked:?}"
        );
        let headers = text(&asked.headers, "access-control-allow-headers");
        ensure!(headers.contains("authorization") && headers.contains("idempotency-key"), "{asked:?}");
        ensure!(text(&asked.headers, "access-control-allow-methods").contains("PATCH"), "{asked:?}");
        ensure!(!asked.headers.contains_key("access-control-allow-credentials"), "{asked:?}");
        ensure!(text(&asked.headers, "x-request-id").starts_with("req_"), "{asked:?}");
    }
    let answered = client.raw(Method::GET, "/api/v1/sessions", &[("origin", SITE)], None).await?;
    ensure!(answered.status == 200 && text(&answered.headers, "access-control-allow-origin") == SITE);
    let exposed = text(&answered.headers, "access-control-expose-headers");
    for name in ["x-request-id", "ratelimit-remaining", "retry-after", "idempotent-replayed"] {
        ensure!(exposed.contains(name), "{name} in {exposed}");
    }
    ensure!(
        answered
            .headers
            .get_all("vary")
            .iter()
            .any(|vary| vary.to_str().is_ok_and(|vary| vary.contains("origin")))
    );
    // A refusal can be read by the page, too.
    let refused =
        client.with_key("none").raw(Method::GET, "/api/v1/sessions", &[("origin", SITE)], None).await?;
    ensure!(
        refused.status == 401 && text(&refused.headers, "access-control-allow-origin") == SITE,
        "{refused:?}"
    );
    for other in ["https://evil.example.com", "https://app.example.com.evil.org", "null"] {
        let asked = preflight(&client, other).await?;
        ensure!(!asked.headers.contains_key("access-control-allow-origin"), "{asked:?}");
    }
    waxwing.stop().await?;

    let waxwing = Waxwing::start_with(folder.path(), &["--cors-origin", "*"]).await?;
    let asked = preflight(&waxwing.client()?, "https://anybody.example.org").await?;
    ensure!(text(&asked.headers, "access-control-allow-origin") == "*", "{asked:?}");
    ensure!(!asked.headers.contains_key("access-control-allow-credentials"), "{asked:?}");
    waxwing.stop().await?;

    let waxwing = Waxwing::start(folder.path()).await?;
    let asked = preflight(&waxwing.client()?, SITE).await?;
    ensure!(asked.status == 405 && !asked.headers.contains_key("access-control-allow-origin"), "{asked:?}");
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn every_answer_says_what_no_page_may_do_with_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start_with(folder.path(), &["--trusted-proxies", "127.0.0.0/8"]).await?;
    let client = waxwing.client()?;
    let get = |path: &'static str, headers: &'static [(&'static str, &'static str)]| {
        let client = client.clone();
        async move { client.raw(Method::GET, path, headers, None).await }
    };
    let nobody = client.with_key("none");
    for answer in [
        get("/api/v1/sessions", &[]).await?,
        get("/api/v1/nowhere", &[]).await?,
        get("/nowhere", &[]).await?,
        get("/health", &[]).await?,
        get("/metrics", &[]).await?,
        nobody.get("/sessions").await?,
        nobody.post("/auth/login", json!({ "email": "a@example.com", "password": "x" })).await?,
        client.post("/api-keys", json!({ "name": "x", "mode": "test", "scopes": ["*"] })).await?,
        client.post("/sessions", json!({})).await?,
    ] {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            ensure!(text(&answer.headers, name) == value, "{name}: {answer:?}");
        }
        ensure!(!answer.headers.contains_key("strict-transport-security"), "{answer:?}");
    }
    // The documentation loads what is its own, and nothing stands in its page that a policy would have to let through.
    for path in ["/api/docs/", "/api/docs/problems/not_found", "/api/docs/swagger-ui.css"] {
        let answer = get(path, &[]).await?;
        let policy = text(&answer.headers, "content-security-policy");
        ensure!(answer.status == 200 && policy.contains("script-src 'self';"), "{path}: {answer:?}");
        ensure!(
            policy.contains("connect-src 'self'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        ensure!(text(&answer.headers, "x-content-type-options") == "nosniff");
    }
    let http = waxwing_tests_api::http_client()?;
    let page = http.get(format!("{}/api/docs/", client.base_url())).send().await?.text().await?;
    let scripts: Vec<&str> = page.match_indices("<script").map(|(at, tag)| &page[at + tag.len()..]).collect();
    ensure!(!scripts.is_empty(), "{page}");
    for script in scripts {
        let is_own = script.trim_start().starts_with("src=\"./");
        ensure!(is_own, "an inline script, or one from elsewhere: {script}");
    }
    ensure!(!page.contains("http://") && !page.contains("https://") && !page.contains(" onload="), "{page}");
    // Only a trusted proxy says that the client came by TLS.
    let by_tls = get("/api/v1/sessions", &[("x-forwarded-proto", "https")]).await?;
    ensure!(text(&by_tls.headers, "strict-transport-security") == "max-age=31536000", "{by_tls:?}");
    waxwing.stop().await?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let headers = [("x-forwarded-proto", "https")];
    let answer = waxwing.client()?.raw(Method::GET, "/api/v1/sessions", &headers, None).await?;
    ensure!(!answer.headers.contains_key("strict-transport-security"), "{answer:?}");
    waxwing.stop().await.map(drop)
}
