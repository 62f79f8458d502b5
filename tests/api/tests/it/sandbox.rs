//! The simulated network over the public API: groups, profiles, linked devices, history.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use waxwing_tests_api::{Answer, Client, Waxwing, binary, eventually};

const OWNER: &str = "+15550001111";
const FRIEND: &str = "+15550002222";
const STRANGER: &str = "+15550003333";

fn refused(answer: &Answer, status: u16, code: &str, pointer: Option<&str>) -> Result<()> {
    ensure!(answer.status == status && answer.body["code"] == code, "expected {status} {code}: {answer:?}");
    ensure!(answer.headers["content-type"] == "application/problem+json", "{answer:?}");
    ensure!(answer.body["title"].as_str().is_some_and(|title| !title.is_empty()), "{answer:?}");
    ensure!(answer.body["errors"][0]["pointer"].as_str() == pointer, "expected {pointer:?}: {answer:?}");
    Ok(())
}

async fn people(client: &Client) -> Result<()> {
    for number in [OWNER, FRIEND, STRANGER] {
        client.make_phone(number).await?;
    }
    Ok(())
}

async fn patch(client: &Client, path: &str, body: Value) -> Result<Answer> {
    let headers = [("content-type", "application/json")];
    let body = Some(body.to_string().into_bytes());
    client.raw(Method::PATCH, &format!("/api/v1{path}"), &headers, body).await
}

fn role<'a>(group: &'a Answer, number: &str) -> Option<&'a str> {
    let members = group.body["participants"].as_array()?;
    members.iter().find(|member| member["number"] == number)?["role"].as_str()
}

#[tokio::test]
async fn a_group_is_made_changed_written_to_joined_and_left() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let session = client.connected_session("shop", OWNER).await?;
    people(&client).await?;

    let body = json!({ "by": OWNER, "subject": "Regulars", "participants": [FRIEND], "description": "Ours" });
    let key = [("idempotency-key", "once")];
    let made = client.post_with("/sandbox/groups", &key, body.clone()).await?;
    ensure!(made.status == 201 && made.body["description"] == "Ours", "{made:?}");
    ensure!(made.body["addressing_mode"] == "pn" && role(&made, OWNER) == Some("superadmin"), "{made:?}");
    let again = client.post_with("/sandbox/groups", &key, body).await?;
    ensure!(again.status == 201 && again.body == made.body, "{again:?}");
    ensure!(again.headers["idempotent-replayed"] == "true", "{again:?}");
    let jid = made.body["jid"].as_str().context("an address")?;
    let path = format!("/sandbox/groups/{jid}");

    // A number with its sign, escaped, and bare; a group with its server, escaped, and without.
    for member in [OWNER, "%2B15550001111", "15550001111"] {
        for group in [jid.to_owned(), jid.replace('@', "%40"), jid.replace("@g.us", "")] {
            let shown = client.get(&format!("/sandbox/groups/{group}?member={member}")).await?;
            ensure!(shown.status == 200 && shown.body == made.body, "{group} {member}: {shown:?}");
        }
        let listed = client.all(&format!("/sandbox/groups?member={member}")).await?;
        ensure!(listed.len() == 1 && listed[0] == made.body, "{listed:?}");
    }
    let second = json!({ "by": OWNER, "subject": "By hidden address", "addressing_mode": "lid" });
    ensure!(client.post("/sandbox/groups", second).await?.body["addressing_mode"] == "lid");
    let page = client.get("/sandbox/groups?member=15550001111&limit=1").await?;
    ensure!(page.body["data"][0] == made.body, "{page:?}");
    let cursor = page.body["next_cursor"].as_str().context("a cursor")?;
    let page = client.get(&format!("/sandbox/groups?member=15550001111&cursor={cursor}")).await?;
    ensure!(
        page.body["data"][0]["addressing_mode"] == "lid" && page.body["next_cursor"].is_null(),
        "{page:?}"
    );

    let changed = patch(&client, &path, json!({ "by": OWNER, "subject": "Friends", "locked": true })).await?;
    ensure!(changed.status == 200 && changed.body["subject"] == "Friends", "{changed:?}");
    ensure!(changed.body["locked"] == true && changed.body["description"] == "Ours", "{changed:?}");
    let members = |by: &str, action: &str, numbers: &[&str]| {
        let body = json!({ "by": by, "action": action, "participants": numbers });
        let (client, path) = (client.clone(), format!("{path}/participants"));
        async move { client.post(&path, body).await }
    };
    let added = members(OWNER, "add", &[STRANGER, FRIEND]).await?;
    let outcomes = json!([{ "number": STRANGER, "error": null }, { "number": FRIEND, "error": 409 }]);
    ensure!(
        added.status == 200 && added.body == json!({ "data": outcomes, "next_cursor": null }),
        "{added:?}"
    );
    ensure!(members(OWNER, "promote", &[FRIEND]).await?.status == 200);
    let shown = client.get(&format!("{path}?member={FRIEND}")).await?;
    ensure!(role(&shown, FRIEND) == Some("admin") && role(&shown, STRANGER) == Some("member"), "{shown:?}");

    // What a person writes into the group reaches the owner's session and the others' phones.
    let text = json!({ "to": jid, "type": "text", "text": "tonight?" });
    ensure!(client.post(&format!("/sandbox/phones/{FRIEND}/messages"), text).await?.status == 202);
    eventually("the text in the session", || async {
        let listed = client.all(&format!("/messages?session_id={session}&direction=in")).await?;
        let found = listed.iter().find(|message| message["text"] == "tonight?");
        Ok(found.map(|message| ensure_chat(message, jid)))
    })
    .await??;
    let inbox = client.all(&format!("/sandbox/phones/{STRANGER}/inbox")).await?;
    ensure!(inbox.len() == 1 && inbox[0]["chat"] == jid && inbox[0]["from"] == FRIEND, "{inbox:?}");

    let invite = client.get(&format!("{path}/invite?member={OWNER}")).await?;
    let code = invite.body["code"].as_str().context("a code")?.to_owned();
    let left = client.post(&format!("{path}/leave"), json!({ "by": STRANGER })).await?;
    ensure!(left.status == 204, "{left:?}");
    refused(&client.get(&format!("{path}?member={STRANGER}")).await?, 404, "group_not_found", None)?;
    let join = |code: &str| client.post("/sandbox/groups/join", json!({ "by": STRANGER, "code": code }));
    let joined = join(&code).await?;
    ensure!(joined.status == 200 && role(&joined, STRANGER) == Some("member"), "{joined:?}");
    refused(&join(&code).await?, 409, "already_member", None)?;
    let renewed = client.post(&format!("{path}/invite"), json!({ "by": OWNER })).await?;
    ensure!(renewed.status == 200 && renewed.body["code"] != invite.body["code"], "{renewed:?}");
    refused(&join(&code).await?, 422, "invalid_invite", None)?;
    ensure!(members(FRIEND, "remove", &[STRANGER]).await?.body["data"][0]["error"].is_null());

    // Whoever may not, and what is wrong, is said of the field.
    let by_member = patch(&client, &path, json!({ "by": STRANGER, "subject": "x" })).await?;
    refused(&by_member, 404, "group_not_found", None)?;
    ensure!(join(renewed.body["code"].as_str().context("a code")?).await?.status == 200);
    let by_member = patch(&client, &path, json!({ "by": STRANGER, "subject": "x" })).await?;
    refused(&by_member, 403, "phone_not_allowed", Some("/by"))?;
    refused(&members(STRANGER, "remove", &[FRIEND]).await?, 403, "phone_not_allowed", Some("/by"))?;
    refused(&members("+15559999999", "remove", &[FRIEND]).await?, 404, "phone_not_found", Some("/by"))?;
    let nobody = members(OWNER, "add", &["+15559999999"]).await?;
    refused(&nobody, 404, "phone_not_found", Some("/participants"))?;
    let invalid = "validation_failed";
    refused(&members("bob", "remove", &[FRIEND]).await?, 422, invalid, Some("/by"))?;
    refused(&members(OWNER, "praise", &[FRIEND]).await?, 422, invalid, Some("/action"))?;
    refused(&members(OWNER, "add", &["bob"]).await?, 422, invalid, Some("/participants"))?;
    refused(&members(OWNER, "add", &[]).await?, 422, invalid, Some("/participants"))?;
    for (field, wrong) in
        [("subject", json!("")), ("description", json!("x".repeat(2_049))), ("locked", json!(1))]
    {
        let answer = patch(&client, &path, json!({ "by": OWNER, field: wrong })).await?;
        refused(&answer, 422, invalid, Some(&format!("/{field}")))?;
    }
    let wrong = json!({ "by": OWNER, "subject": "x", "addressing_mode": "telegram" });
    refused(&client.post("/sandbox/groups", wrong).await?, 422, invalid, Some("/addressing_mode"))?;
    refused(&client.get("/sandbox/groups?member=bob").await?, 422, invalid, Some("/query/member"))?;
    refused(
        &client.get("/sandbox/groups?member=15550001111&cursor=x").await?,
        422,
        invalid,
        Some("/query/cursor"),
    )?;
    refused(
        &client.get("/sandbox/groups?member=15550001111&limit=0").await?,
        422,
        invalid,
        Some("/query/limit"),
    )?;
    refused(&client.get("/sandbox/groups/bob?member=15550001111").await?, 422, invalid, Some("/path/group"))?;
    let gone = client.get("/sandbox/groups/120363999?member=15550001111").await?;
    refused(&gone, 404, "group_not_found", None)?;
    let unheard = json!({ "to": "120363999@g.us", "type": "text", "text": "x" });
    let unheard = client.post(&format!("/sandbox/phones/{FRIEND}/messages"), unheard).await?;
    refused(&unheard, 404, "group_not_found", Some("/to"))
}

fn ensure_chat(message: &Value, jid: &str) -> Result<()> {
    ensure!(message["chat"]["jid"] == jid && message["from"]["phone"] == FRIEND, "{message}");
    Ok(())
}

#[tokio::test]
async fn a_profile_is_shown_changed_and_kept_private() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    people(&client).await?;
    let path = format!("/sandbox/phones/{FRIEND}/profile");
    let empty = client.get(&path).await?;
    ensure!(empty.status == 200 && empty.body["picture_id"].is_null(), "{empty:?}");
    ensure!(empty.body["name"].is_null() && empty.body["privacy"]["groups"] == "all", "{empty:?}");

    let change = json!({ "name": "Ada", "about": "At sea", "picture": "AQID", "present": true });
    let changed = client.put(&path, change).await?;
    ensure!(
        changed.status == 200 && changed.body["name"] == "Ada" && changed.body["about"] == "At sea",
        "{changed:?}"
    );
    ensure!(
        changed.body["picture_id"].is_string() && client.get(&path).await?.body == changed.body,
        "{changed:?}"
    );
    let private =
        json!({ "about": "", "picture": null, "privacy": { "groups": "none", "last_seen": "contacts" } });
    let private = client.put(&path, private).await?;
    ensure!(private.body["about"].is_null() && private.body["picture_id"].is_null(), "{private:?}");
    ensure!(
        private.body["privacy"]["groups"] == "none" && private.body["privacy"]["about"] == "all",
        "{private:?}"
    );

    // Who lets nobody add them is not added.
    let made = client.post("/sandbox/groups", json!({ "by": OWNER, "subject": "x" })).await?;
    let group = made.body["jid"].as_str().context("an address")?;
    let add = json!({ "by": OWNER, "action": "add", "participants": [FRIEND] });
    let added = client.post(&format!("/sandbox/groups/{group}/participants"), add).await?;
    ensure!(added.body["data"][0]["error"] == 403, "{added:?}");

    let invalid = "validation_failed";
    for (field, wrong) in [
        ("/name", json!({ "name": "" })),
        ("/about", json!({ "about": "x".repeat(140) })),
        ("/picture", json!({ "picture": "?" })),
        ("/present", json!({ "present": "yes" })),
        ("/privacy/about", json!({ "privacy": { "about": "everybody" } })),
        ("/privacy/shoes", json!({ "privacy": { "shoes": "none" } })),
        ("/colour", json!({ "colour": "red" })),
    ] {
        refused(&client.put(&path, wrong).await?, 422, invalid, Some(field))?;
    }
    ensure!(client.get(&path).await?.body == private.body, "what is refused changes nothing");
    let nobody = client.get("/sandbox/phones/+15559999999/profile").await?;
    refused(&nobody, 404, "phone_not_found", None)
}

#[tokio::test]
async fn a_phone_lists_and_unlinks_its_devices_and_hands_over_its_past() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let session = client.connected_session("shop", OWNER).await?;
    let path = format!("/sandbox/phones/{OWNER}/companions");
    let listed = client.all(&path).await?;
    ensure!(
        listed.len() == 1 && listed[0]["device"] == 1 && listed[0]["linked_at"].is_string(),
        "{listed:?}"
    );
    let delete = |what: &str| {
        let path = format!("/api/v1{path}/{what}");
        let client = client.clone();
        async move { client.raw(Method::DELETE, &path, &[], None).await }
    };
    refused(&delete("2").await?, 404, "device_not_found", None)?;
    refused(&delete("x").await?, 422, "validation_failed", Some("/path/device"))?;
    let unlinked = delete("1").await?;
    ensure!(unlinked.status == 204, "{unlinked:?}");
    client.wait_status(&session, "logged_out").await?;
    ensure!(client.all(&path).await?.is_empty());

    let path = format!("/sandbox/phones/{OWNER}/history");
    let set = client.put(&path, json!({ "messages": 100 })).await?;
    ensure!(set.status == 204, "{set:?}");
    for wrong in [json!(-1), json!(5_001), json!("all")] {
        let answer = client.put(&path, json!({ "messages": wrong })).await?;
        refused(&answer, 422, "validation_failed", Some("/messages"))?;
    }
    // The phone has something to hand over, and the session still connects.
    client.make_phone(FRIEND).await?;
    let text = json!({ "to": OWNER, "type": "text", "text": "long ago" });
    ensure!(client.post(&format!("/sandbox/phones/{FRIEND}/messages"), text).await?.status == 202);
    let again = client.connected_session("again", OWNER).await?;
    client.wait_status(&again, "connected").await?;
    let code =
        client.post(&format!("/sandbox/phones/{OWNER}/enter-code"), json!({ "code": "ABCD-1234" })).await?;
    refused(&code, 409, "no_code_shown", Some("/code"))
}

#[tokio::test]
async fn another_account_has_another_network() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    people(&client).await?;
    let made = client.post("/sandbox/groups", json!({ "by": OWNER, "subject": "ours" })).await?;
    let group = made.body["jid"].as_str().context("an address")?;
    let output = Command::new(binary()?)
        .args(["admin", "account", "create", "--name", "Other", "--email", "other@example.com", "--data-dir"])
        .arg(folder.path())
        .output()?;
    let account: Value = serde_json::from_slice(&output.stdout)?;
    let other = client.with_key(account["api_key"].as_str().context("a key")?);
    let member = "15550001111";
    refused(
        &other.get(&format!("/sandbox/groups/{group}?member={member}")).await?,
        404,
        "phone_not_found",
        Some("/query/member"),
    )?;
    other.make_phone(OWNER).await?;
    ensure!(other.all(&format!("/sandbox/groups?member={member}")).await?.is_empty());
    refused(
        &other.get(&format!("/sandbox/groups/{group}?member={member}")).await?,
        404,
        "group_not_found",
        None,
    )
}

#[tokio::test]
async fn who_has_to_be_let_in_waits_for_an_admin() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    people(&client).await?;
    let made = client
        .post("/sandbox/groups", json!({ "by": OWNER, "subject": "Regulars", "participants": [FRIEND] }));
    let group = made.await?.body["jid"].as_str().context("a group")?.to_owned();
    let changed =
        patch(&client, &format!("/sandbox/groups/{group}"), json!({ "by": OWNER, "approval": true })).await?;
    ensure!(changed.status == 200 && changed.body["approval"] == true, "{changed:?}");
    let code = client.get(&format!("/sandbox/groups/{group}/invite?member=15550001111")).await?;
    let join = json!({ "by": STRANGER, "code": code.body["code"] });
    let waits = client.post("/sandbox/groups/join", join).await?;
    ensure!(waits.status == 202 && waits.body == json!({}), "{waits:?}");
    let requests = format!("/sandbox/groups/{group}/join-requests");
    let listed = client.get(&format!("{requests}?member=15550001111")).await?;
    ensure!(
        listed.body["data"][0]["number"] == STRANGER && listed.body["data"][0]["requested_at"].is_string()
    );
    let answer = |by: &str, whom: &str| json!({ "by": by, "approve": true, "participants": [whom] });
    ensure!(client.post(&requests, answer(FRIEND, STRANGER)).await?.status == 403, "no admin");
    let let_in = client.post(&requests, answer(OWNER, STRANGER)).await?;
    ensure!(let_in.body["data"] == json!([{ "number": STRANGER, "error": null }]), "{let_in:?}");
    let again = client.post(&requests, answer(OWNER, STRANGER)).await?;
    ensure!(again.body["data"][0]["error"] == 404, "{again:?}");
    let seen = client.get(&format!("/sandbox/groups/{group}?member=15550003333")).await?;
    ensure!(role(&seen, STRANGER) == Some("member"), "{seen:?}");
    waxwing.stop().await.map(drop)
}

#[tokio::test]
async fn a_phone_calls_and_hangs_up() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    people(&client).await?;
    let calls = format!("/sandbox/phones/{FRIEND}/calls");
    refused(
        &client.post(&calls, json!({ "to": "+15559999999" })).await?,
        404,
        "phone_not_found",
        Some("/to"),
    )?;
    refused(&client.post(&calls, json!({ "to": FRIEND })).await?, 422, "validation_failed", Some("/to"))?;
    let made = client.post(&calls, json!({ "to": OWNER, "video": true })).await?;
    ensure!(made.status == 202 && made.body["state"] == "ringing" && made.body["video"] == true, "{made:?}");
    let call = format!("/api/v1{calls}/{}", made.body["call_id"].as_str().context("an id")?);
    let ended = client.raw(Method::DELETE, &call, &[], None).await?;
    ensure!(ended.status == 200 && ended.body["state"] == "ended" && ended.body["to"] == OWNER, "{ended:?}");
    refused(&client.get(&format!("{calls}/AC00")).await?, 404, "call_not_found", None)?;
    waxwing.stop().await.map(drop)
}
