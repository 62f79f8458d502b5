//! How sessions behave, and linking them without a camera.

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use waxwing_tests_api::{Answer, Client, Waxwing, eventually};

const OWNER: &str = "+15550001111";

async fn patch(client: &Client, session: &str, body: Value) -> Result<Answer> {
    let headers = [("content-type", "application/json")];
    let path = format!("/api/v1/sessions/{session}");
    client.raw(Method::PATCH, &path, &headers, Some(body.to_string().into_bytes())).await
}

#[tokio::test]
async fn settings_change_one_by_one_and_no_password_is_shown() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let settings = json!({ "device_name": "Desk", "proxy": "socks5://me:secret@proxy.example:1080" });
    let made =
        client.post("/sessions", json!({ "name": "shop", "start": false, "settings": settings })).await?;
    ensure!(made.status == 201 && !made.body.to_string().contains("secret"), "{made:?}");
    let session = made.body["id"].as_str().context("an id")?;

    let changed =
        patch(&client, session, json!({ "settings": { "auto_read": true, "device_name": null } })).await?;
    ensure!(changed.status == 200, "{changed:?}");
    let expected = json!({
        "device_name": null,
        "proxy": "socks5://me:***@proxy.example:1080",
        "always_online": false,
        "auto_read": true,
        "reject_calls": false,
        "ignore_groups": false,
        "ignore_broadcasts": false,
        "ignore_channels": false,
        "import_history": false,
        "history_webhooks": false,
    });
    let read = client.get(&format!("/sessions/{session}")).await?;
    ensure!(
        changed.body["settings"] == expected && read.body["settings"] == expected,
        "{changed:?} {read:?}"
    );

    for (settings, pointer) in [
        (json!({ "proxy": "ftp://proxy:21" }), "/settings/proxy"),
        (json!({ "proxy": "http://proxy" }), "/settings/proxy"),
        (json!({ "proxy": "socks5://other:***@proxy.example:1080" }), "/settings/proxy"),
        (json!({ "device_name": "" }), "/settings/device_name"),
        (json!({ "device_name": "x".repeat(51) }), "/settings/device_name"),
        (json!({ "auto_read": "yes" }), "/settings/auto_read"),
        (json!({ "colour": "red" }), "/settings/colour"),
    ] {
        let made = json!({ "name": "other", "start": false, "settings": settings });
        for answer in [
            patch(&client, session, json!({ "settings": settings })).await?,
            client.post("/sessions", made).await?,
        ] {
            ensure!(
                answer.status == 422 && answer.body["errors"][0]["pointer"] == pointer,
                "{pointer}: {answer:?}"
            );
        }
    }
    ensure!(client.get(&format!("/sessions/{session}")).await?.body["settings"] == expected);
    let sent_back = patch(&client, session, json!({ "settings": expected })).await?;
    ensure!(sent_back.status == 200 && sent_back.body["settings"] == expected, "{sent_back:?}");
    ensure!(patch(&client, "ses_01KAJ1V7Q6E1P8K3M5R7T9W2YB", json!({ "settings": {} })).await?.status == 404);
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn a_session_is_linked_by_a_code_that_is_typed_in() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    client.make_phone(OWNER).await?;
    let made = client.post("/sessions", json!({ "name": "shop", "start": false })).await?;
    let session = made.body["id"].as_str().context("an id")?;
    let path = format!("/sessions/{session}/pairing-code");
    let ask = || client.post(&path, json!({ "phone_number": OWNER }));
    let none = ask().await?;
    ensure!(none.status == 409 && none.body["code"] == "not_pairing", "a session that is stopped: {none:?}");
    let wrong = client.post(&path, json!({ "phone_number": "12" })).await?;
    ensure!(wrong.status == 422 && wrong.body["errors"][0]["pointer"] == "/phone_number", "{wrong:?}");

    client.post(&format!("/sessions/{session}/start"), json!({})).await?;
    let code = ask().await?;
    ensure!(code.status == 200 && code.body["code"].as_str().is_some_and(|code| code.len() == 8), "{code:?}");
    let body = json!({ "code": code.body["code"] });
    let entered = client.post(&format!("/sandbox/phones/{OWNER}/enter-code"), body).await?;
    ensure!(entered.status == 202, "{entered:?}");
    client.wait_status(session, "connected").await?;
    let linked = ask().await?;
    ensure!(linked.status == 409 && linked.body["code"] == "not_pairing", "one that is linked: {linked:?}");
    let me = eventually("whose it is", || async {
        let read = client.get(&format!("/sessions/{session}")).await?;
        Ok(read.body["me"]["phone"].as_str().map(str::to_owned))
    });
    ensure!(me.await? == OWNER);
    waxwing.stop().await.map(drop)
}
