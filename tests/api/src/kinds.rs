//! Every kind of message, both ways, and what is done to messages. The table is the reference of kinds in the documentation:
//! `docs/reference/kinds.md`.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{Client, eventually};

const OWNER: &str = "+15550001111";
const FRIEND: &str = "+15550002222";

/// The page that shows every kind, with an example each.
const PAGE: &str = include_str!("../../../docs/reference/kinds.md");

/// A kind of message: its `type`, and the fields with which it is sent and as which it is read back.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    fields: Value,
}

/// Every kind of the page that has an example.
fn kinds() -> Result<Vec<Kind>> {
    let sections = PAGE.split("\n## `");
    let kinds = sections.filter_map(|section| {
        let (name, rest) = section.split_once('`')?;
        let (_, example) = rest.split_once("```json\n")?;
        let (example, _) = example.split_once("```")?;
        Some(serde_json::from_str(example).map(|fields| Kind { name, fields }))
    });
    let kinds = kinds.collect::<Result<Vec<_>, _>>()?;
    ensure!(kinds.len() >= 5, "{kinds:?}");
    Ok(kinds)
}

/// True when everything that `expected` names is in `found`, at all depths. Times are compared as times.
pub fn contains(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| found.get(name).is_some_and(|found| contains(found, value)))
        },
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| contains(found, expected))
        },
        _ => found == expected,
    }
}

/// How a phone shows it: of a card the name and the vCard, of an event's place its name.
fn on_phone(kind: &str, mut fields: Value) -> Value {
    match kind {
        "event" => {
            fields["location"] = json!({ "name": fields["location"] });
            fields
        },
        "contact" => {
            let names = fields["contacts"].as_array().into_iter().flatten();
            json!({ "contacts": names.map(|card| json!({ "name": card["name"] })).collect::<Vec<_>>() })
        },
        _ => fields,
    }
}

async fn in_inbox(client: &Client, whatsapp_id: &Value) -> Result<Value> {
    eventually("the message on the phone", || async {
        let inbox = client.all(&format!("/sandbox/phones/{FRIEND}/inbox")).await?;
        Ok(inbox.into_iter().find(|entry| entry["whatsapp_id"] == *whatsapp_id))
    })
    .await
}

/// The newest message of the chat that fits.
async fn in_chat(client: &Client, what: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
    eventually(what, || async {
        let page = client.get("/messages?chat=%2B15550002222&order=desc&limit=200").await?;
        ensure!(page.status == 200, "{page:?}");
        Ok(page.body["data"].as_array().into_iter().flatten().find(|message| fits(message)).cloned())
    })
    .await
}

/// Each kind goes out through the API, and the phone sees what was sent.
pub async fn every_kind_out(client: &Client) -> Result<()> {
    let session = client.connected_session("shop", OWNER).await?;
    client.make_phone(FRIEND).await?;
    for Kind { name, fields } in kinds()? {
        let mut body = fields.clone();
        body["type"] = json!(name);
        body["session_id"] = json!(session);
        body["to"] = json!(FRIEND);
        let sent = client.post("/messages", body).await?;
        ensure!(sent.status == 202 && sent.body["type"] == name, "{name}: {sent:?}");
        let seen = in_inbox(client, &sent.body["whatsapp_id"]).await?;
        ensure!(seen["type"] == name, "{name}: {seen}");
        ensure!(contains(&seen["content"], &on_phone(name, fields.clone())), "{name}: {seen}");
        let id = sent.body["id"].as_str().context("an id")?;
        let read = client.get(&format!("/messages/{id}")).await?;
        ensure!(read.body["type"] == name && contains(&read.body, &fields), "{name}: {read:?}");
    }
    Ok(())
}

/// A phone sends each kind, and the API tells what it sent.
pub async fn every_kind_in(client: &Client) -> Result<()> {
    client.connected_session("shop", OWNER).await?;
    client.make_phone(FRIEND).await?;
    for Kind { name, fields } in kinds()? {
        let mut body = match name {
            // A phone sends a place, of which the API tells the name.
            "event" => on_phone(name, fields.clone()),
            _ => fields.clone(),
        };
        body["type"] = json!(name);
        body["to"] = json!(OWNER);
        let sent = client.post(&format!("/sandbox/phones/{FRIEND}/messages"), body).await?;
        ensure!(sent.status == 202, "{name}: {sent:?}");
        let read = in_chat(client, name, |message| message["type"] == name).await?;
        ensure!(read["direction"] == "in" && contains(&read, &fields), "{name}: {read}");
    }
    Ok(())
}

/// A session sends a text to the phone, and WhatsApp has it. The answer of the request.
async fn sent_text(client: &Client, session: &str, text: &str) -> Result<Value> {
    let body = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": text });
    let sent = client.post("/messages", body).await?;
    ensure!(sent.status == 202, "{sent:?}");
    in_inbox(client, &sent.body["whatsapp_id"]).await?;
    let path = format!("/messages/{}", sent.body["id"].as_str().context("an id")?);
    eventually("the message sent", || async {
        let message = client.get(&path).await?;
        Ok(matches!(message.body["status"].as_str(), Some("sent" | "delivered" | "read")).then_some(()))
    })
    .await?;
    Ok(sent.body)
}

async fn on_the_phone(client: &Client, kind: &str, target: &Value) -> Result<Value> {
    eventually(kind, || async {
        let inbox = client.all(&format!("/sandbox/phones/{FRIEND}/inbox")).await?;
        Ok(inbox.into_iter().find(|entry| entry["type"] == kind && entry["target"] == *target))
    })
    .await
}

/// The API reacts to, edits and takes back what it sent, and the phone sees it.
pub async fn operations_out(client: &Client) -> Result<()> {
    let session = client.connected_session("shop", OWNER).await?;
    client.make_phone(FRIEND).await?;
    let sent = sent_text(client, &session, "at seven").await?;
    let (path, target) =
        (format!("/messages/{}", sent["id"].as_str().context("an id")?), &sent["whatsapp_id"]);

    let reacted = client.put(&format!("{path}/reaction"), json!({ "emoji": "👍" })).await?;
    ensure!(reacted.status == 202, "{reacted:?}");
    ensure!(on_the_phone(client, "reaction", target).await?["text"] == "👍");
    let edited = client.patch(&path, json!({ "text": "at eight" })).await?;
    ensure!(edited.status == 202, "{edited:?}");
    ensure!(on_the_phone(client, "edit", target).await?["text"] == "at eight");
    let now = eventually("both told", || async {
        let read = client.get(&path).await?.body;
        Ok((read["text"] == "at eight" && read["reactions"][0]["emoji"] == "👍").then_some(read))
    })
    .await?;
    ensure!(now["edited_at"].is_string() && now["deleted_at"].is_null(), "{now}");
    let unreacted = client.delete(&format!("{path}/reaction")).await?;
    ensure!(unreacted.status == 202, "{unreacted:?}");
    eventually("the reaction taken back", || async {
        Ok((client.get(&path).await?.body["reactions"] == json!([])).then_some(()))
    })
    .await?;
    let deleted = client.delete(&path).await?;
    ensure!(deleted.status == 202, "{deleted:?}");
    on_the_phone(client, "delete", target).await?;
    eventually("the deletion told", || async {
        Ok(client.get(&path).await?.body["deleted_at"].is_string().then_some(()))
    })
    .await?;
    for (refused, code) in [
        (client.patch(&path, json!({ "text": "x" })).await?, "message_deleted"),
        (client.post(&format!("{path}/cancel"), json!({})).await?, "already_sending"),
    ] {
        ensure!(refused.status == 409 && refused.body["code"] == code, "{refused:?}");
    }
    Ok(())
}

/// A phone answers, reacts to, edits and takes back, and the API tells of which message.
pub async fn operations_in(client: &Client) -> Result<()> {
    let session = client.connected_session("shop", OWNER).await?;
    client.make_phone(FRIEND).await?;
    let phone = format!("/sandbox/phones/{FRIEND}/messages");
    let ours = sent_text(client, &session, "at seven?").await?;
    let path = format!("/messages/{}", ours["id"].as_str().context("an id")?);

    let body = json!({ "to": OWNER, "type": "reaction", "text": "👍", "target": ours["whatsapp_id"] });
    ensure!(client.post(&phone, body).await?.status == 202);
    let reaction = eventually("the reaction", || async {
        let read = client.get(&path).await?.body;
        Ok(read["reactions"].get(0).cloned())
    })
    .await?;
    ensure!(reaction["emoji"] == "👍" && reaction["from"]["phone"] == FRIEND, "{reaction}");

    let body = json!({ "to": OWNER, "type": "text", "text": "yes", "target": ours["whatsapp_id"] });
    let answered = client.post(&phone, body).await?;
    ensure!(answered.status == 202, "{answered:?}");
    let answer = in_chat(client, "the answer", |message| message["text"] == "yes").await?;
    ensure!(answer["reply_to"] == ours["id"] && answer["quoted"]["text"] == "at seven?", "{answer}");
    let path = format!("/messages/{}", answer["id"].as_str().context("an id")?);

    // The API answers the answer.
    let body = json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "good", "reply_to": answer["id"] });
    let back = client.post("/messages", body).await?;
    ensure!(back.status == 202, "{back:?}");
    let seen = in_inbox(client, &back.body["whatsapp_id"]).await?;
    ensure!(seen["target"] == answer["whatsapp_id"], "{seen}");
    ensure!(seen["content"]["quoted"]["text"] == "yes", "{seen}");

    let body = json!({ "to": OWNER, "type": "edit", "text": "yes!", "target": answer["whatsapp_id"] });
    ensure!(client.post(&phone, body).await?.status == 202);
    eventually("the edit", || async { Ok((client.get(&path).await?.body["text"] == "yes!").then_some(())) })
        .await?;
    let body = json!({ "to": OWNER, "type": "delete", "target": answer["whatsapp_id"] });
    ensure!(client.post(&phone, body).await?.status == 202);
    eventually("the deletion", || async {
        Ok(client.get(&path).await?.body["deleted_at"].is_string().then_some(()))
    })
    .await?;
    let refused = client.patch(&path, json!({ "text": "x" })).await?;
    ensure!(refused.status == 409, "{refused:?}");
    Ok(())
}

/// Bad input is refused, and names its field.
pub async fn bad_kinds(client: &Client) -> Result<()> {
    let session = client.connected_session("shop", OWNER).await?;
    let table = [
        (json!({ "type": "carrier_pigeon" }), "/type"),
        (json!({ "text": "no type" }), "/type"),
        (json!({ "type": "text" }), "/text"),
        (json!({ "type": "text", "text": "x", "caption": "x" }), "/caption"),
        (json!({ "type": "location", "latitude": 90.1, "longitude": 0 }), "/latitude"),
        (json!({ "type": "location", "latitude": 1, "longitude": 1e9 }), "/longitude"),
        (json!({ "type": "contact", "contacts": [] }), "/contacts"),
        (json!({ "type": "contact", "contacts": [["Ada"]] }), "/contacts/0"),
        (json!({ "type": "contact", "contacts": [{ "vcard": "x" }] }), "/contacts/0/vcard"),
        (json!({ "type": "contact", "contacts": [{ "phones": [] }] }), "/contacts/0/name"),
        (json!({ "type": "poll", "question": "?", "options": ["a"] }), "/options"),
        (json!({ "type": "poll", "question": "?", "options": ["a", "a"] }), "/options/1"),
        (json!({ "type": "poll", "question": "?", "options": ["a", "b"], "max_choices": 3 }), "/max_choices"),
        (json!({ "type": "event", "name": "x", "starts_at": "tomorrow" }), "/starts_at"),
        (
            json!({ "type": "event", "name": "x", "starts_at": "2027-05-01T18:00:00Z", "ends_at": "2027-05-01T17:00:00Z" }),
            "/ends_at",
        ),
        (json!({ "type": "text", "text": "x", "mentions": ["nobody"] }), "/mentions/0"),
        (json!({ "type": "text", "text": "x", "view_once": true }), "/view_once"),
        (json!({ "type": "text", "text": "x", "reply_to": "msg_x" }), "/reply_to"),
    ];
    for (mut body, field) in table {
        body["session_id"] = json!(session);
        body["to"] = json!(FRIEND);
        let refused = client.post("/messages", body.clone()).await?;
        ensure!(refused.status == 422, "{body}: {refused:?}");
        ensure!(refused.body["errors"][0]["pointer"] == field, "{body}: {refused:?}");
    }
    let nobody = "msg_01KAJ1V7Q6E1P8K3M5R7T9W2YB";
    let body =
        json!({ "session_id": session, "to": FRIEND, "type": "text", "text": "x", "reply_to": nobody });
    ensure!(client.post("/messages", body).await?.status == 404);
    ensure!(client.all("/messages").await?.is_empty(), "nothing was accepted");
    Ok(())
}

/// Several messages in one request, each with its own answer, and once whatever is repeated.
pub async fn a_batch(client: &Client) -> Result<()> {
    let session = client.connected_session("shop", OWNER).await?;
    client.make_phone(FRIEND).await?;
    let text = |text: &str| json!({ "session_id": session, "to": FRIEND, "type": "text", "text": text });
    let messages = json!({ "messages": [text("one"), text(""), text("two"), 3, text("three")] });
    let key = [("idempotency-key", "a-batch-of-five")];
    let first = client.post_with("/messages/batch", &key, messages.clone()).await?;
    ensure!(first.status == 202, "{first:?}");
    let statuses = |body: &Value| -> Vec<Value> {
        body["data"].as_array().into_iter().flatten().map(|entry| entry["status"].clone()).collect()
    };
    ensure!(statuses(&first.body) == [202, 422, 202, 422, 202], "{first:?}");
    ensure!(first.body["data"][1]["error"]["errors"][0]["pointer"] == "/text", "{first:?}");
    let again = client.post_with("/messages/batch", &key, messages).await?;
    for index in [0, 2, 4] {
        ensure!(again.body["data"][index]["message"] == first.body["data"][index]["message"], "{again:?}");
    }
    let texts = eventually("three messages", || async {
        let inbox = client.all(&format!("/sandbox/phones/{FRIEND}/inbox")).await?;
        let texts: Vec<Value> = inbox.iter().map(|entry| entry["text"].clone()).collect();
        Ok((texts.len() >= 3).then_some(texts))
    })
    .await?;
    ensure!(texts == ["one", "two", "three"], "in their order, and once: {texts:?}");
    ensure!(client.all("/messages").await?.len() == 3);
    for (wrong, field) in [
        (json!({}), "/messages"),
        (json!({ "messages": [] }), "/messages"),
        (json!({ "messages": vec![text("x"); 101] }), "/messages"),
        (json!({ "messages": [text("x")], "pause": 1 }), "/pause"),
    ] {
        let refused = client.post("/messages/batch", wrong).await?;
        ensure!(refused.status == 422 && refused.body["errors"][0]["pointer"] == field, "{refused:?}");
    }
    Ok(())
}
