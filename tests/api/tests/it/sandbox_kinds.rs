//! All kinds of messages between simulated phones, over the public API: no field is lost on the way.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use waxwing_tests_api::{Client, Waxwing};

const ONE: &str = "+15550001111";
const OTHER: &str = "+15550002222";

async fn send(client: &Client, mut message: Value) -> Result<String> {
    message["to"] = json!(OTHER);
    let sent = client.post(&format!("/sandbox/phones/{ONE}/messages"), message).await?;
    ensure!(sent.status == 202, "{sent:?}");
    Ok(sent.body["whatsapp_id"].as_str().context("an id")?.to_owned())
}

#[tokio::test]
async fn a_phone_sends_every_kind_and_another_ones_inbox_shows_what_is_in_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    for number in [ONE, OTHER] {
        client.make_phone(number).await?;
    }
    let text = send(&client, json!({ "type": "text", "text": "hello" })).await?;
    let poll = json!({ "type": "poll", "question": "Which?", "options": ["a", "b"], "max_choices": 2 });
    let poll = send(&client, poll).await?;
    let event = json!({ "type": "event", "name": "Show", "starts_at": "2026-12-31T20:00:00Z" });
    let event = send(&client, event).await?;

    let file = json!({ "data": "AQID", "mime_type": "x/y" });
    let link = "https://example.com/a";
    let preview = json!({ "url": link, "title": "A", "description": "About a" });
    let place = json!({ "latitude": 52.5, "longitude": 13.25, "name": "Gate", "address": "Platz 1" });
    let seen = |more: Value| {
        let mut seen = json!({ "mime_type": "x/y", "size_bytes": 3, "has_thumbnail": false });
        if let (Some(seen), Value::Object(more)) = (seen.as_object_mut(), more) {
            seen.extend(more);
        }
        seen
    };
    for (message, content) in [
        (
            json!({ "type": "text", "text": link, "preview": preview, "mentions": [OTHER], "forwarded": true,
                "forwarding_score": 4, "expires_in_s": 60, "target": text }),
            json!({ "text": link, "preview": preview, "mentions": ["15550002222@s.whatsapp.net"],
                "forwarded": true, "forwarding_score": 4, "expires_in_s": 60,
                "quoted": { "whatsapp_id": text, "from": ONE, "text": "hello" } }),
        ),
        (
            json!({ "type": "image", "media": file, "caption": "look", "width": 4, "height": 3,
                "view_once": true, "thumbnail": "AQID" }),
            seen(json!({ "caption": "look", "width": 4, "height": 3, "view_once": true,
                "has_thumbnail": true })),
        ),
        (
            json!({ "type": "voice", "media": file, "duration_s": 2, "waveform": [0, 100] }),
            seen(json!({ "duration_s": 2, "waveform": [0, 100] })),
        ),
        (json!({ "type": "sticker", "media": file, "animated": true }), seen(json!({ "animated": true }))),
        (
            json!({ "type": "document", "media": file, "filename": "a.pdf" }),
            seen(json!({ "filename": "a.pdf" })),
        ),
        (
            json!({ "type": "location", "latitude": 52.5, "longitude": 13.25, "live": true }),
            json!({ "latitude": 52.5, "longitude": 13.25, "live": true }),
        ),
        (
            json!({ "type": "contact", "contacts": [{ "name": "Eve", "vcard": "BEGIN:VCARD\nEND:VCARD" }] }),
            json!({ "contacts": [{ "name": "Eve", "vcard": "BEGIN:VCARD\nEND:VCARD" }] }),
        ),
        (
            json!({ "type": "poll", "question": "Which?", "options": ["a", "b"] }),
            json!({ "question": "Which?", "options": ["a", "b"], "max_choices": 1 }),
        ),
        (json!({ "type": "poll_vote", "target": poll, "options": ["b"] }), json!({ "options": ["b"] })),
        (
            json!({ "type": "event", "name": "Party", "starts_at": "2026-12-31T20:00:00Z", "location": place,
                "ends_at": "2027-01-01T02:00:00Z", "description": "Bring cake", "canceled": true }),
            json!({ "name": "Party", "starts_at": "2026-12-31T20:00:00Z", "location": place,
                "ends_at": "2027-01-01T02:00:00Z", "description": "Bring cake", "canceled": true }),
        ),
        (
            json!({ "type": "event_response", "target": event, "response": "not_going" }),
            json!({ "response": "not_going" }),
        ),
        (json!({ "type": "reaction", "text": "👍", "target": text }), json!({ "emoji": "👍" })),
        (
            json!({ "type": "pin", "target": text, "for_s": 86_400 }),
            json!({ "pinned": true, "for_s": 86_400 }),
        ),
        (json!({ "type": "edit", "text": "better", "target": text }), json!({ "text": "better" })),
        (json!({ "type": "delete", "target": text }), Value::Null),
        (
            json!({ "type": "unknown", "raw_type": "paymentInviteMessage" }),
            json!({ "raw_type": "paymentInviteMessage" }),
        ),
    ] {
        let id = send(&client, message.clone()).await?;
        let inbox = client.all(&format!("/sandbox/phones/{OTHER}/inbox")).await?;
        let entry = inbox.iter().find(|entry| entry["whatsapp_id"] == id).context("an entry")?;
        ensure!(entry["type"] == message["type"] && entry["target"] == message["target"], "{entry}");
        ensure!(entry["content"] == content, "{message}: {entry}");
    }

    let path = format!("/sandbox/phones/{ONE}/messages");
    let wrong = json!({ "to": OTHER, "type": "poll", "question": "Which?", "options": ["a"] });
    let wrong = client.post(&path, wrong).await?;
    ensure!(wrong.status == 422 && wrong.body["errors"][0]["pointer"] == "/options", "{wrong:?}");
    let foreign = json!({ "to": OTHER, "type": "poll_vote", "target": text, "options": ["a"] });
    let foreign = client.post(&path, foreign).await?;
    ensure!(foreign.status == 422 && foreign.body["errors"][0]["pointer"] == "/target", "{foreign:?}");
    Ok(())
}
