//! All kinds of messages, field by field: from phone to phone, to the real client, and back.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use wacore::download::MediaType;
use wacore::proto_helpers::MessageExt as _;
use waxwing_sandbox::{InboxEntry, NewGroup, NewMessage, PhoneHandle};
use whatsapp_rust::Jid;
use whatsapp_rust::features::{EventCreationParams, EventResponseType, PollVoteCiphertext};
use whatsapp_rust::waproto::whatsapp as wa;

use crate::support::{Served, TestClient, until};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";
const THIRD: &str = "+15550003333";

async fn send(phone: &PhoneHandle, to: &str, message: Value) -> Result<String> {
    let message: NewMessage = serde_json::from_value(message)?;
    Ok(phone.send(to, message).await?.whatsapp_id)
}

async fn entry(phone: &PhoneHandle, id: &str) -> Result<InboxEntry> {
    until("the entry", || async {
        Ok(phone.inbox().await?.into_iter().find(|entry| entry.whatsapp_id == id))
    })
    .await
}

/// What the messages of a table are about.
struct Chat {
    /// A text, a poll and an event of the other person.
    question: String,
    poll: String,
    event: String,
    /// A text of the sender.
    own: String,
    /// The address of somebody who is mentioned, as the chat names people.
    third: String,
}

const CARD: &str = "BEGIN:VCARD\nVERSION:3.0\nFN:Eve\nEND:VCARD";

/// Each with what the other side must see in it.
#[rustfmt::skip]
fn table(chat: &Chat) -> Vec<(Value, Value)> {
    let Chat { question, poll, event, own, third } = chat;
    let preview = json!({ "url": "https://example.com/a", "title": "A", "description": "About a" });
    let quoted = json!({ "whatsapp_id": question, "from": OWNER, "text": "question" });
    let file = json!({ "data": "AQID", "mime_type": "x/y" });
    let seen = |more: Value| {
        let mut seen = json!({ "mime_type": "x/y", "size_bytes": 3, "has_thumbnail": false });
        if let (Some(seen), Value::Object(more)) = (seen.as_object_mut(), more) {
            seen.extend(more);
        }
        seen
    };
    let place = json!({ "latitude": 52.52, "longitude": 13.405, "name": "Gate", "address": "Platz 1" });
    let ada = "BEGIN:VCARD\nVERSION:3.0\nN:;Ada\\, B;;;\nFN:Ada\\, B\nORG:Us\nTEL;type=CELL;waid=15550004444:+15550004444\nEMAIL:a@b.example\nEND:VCARD";
    vec![
        (json!({ "type": "text", "text": "hello" }), json!({ "text": "hello" })),
        (json!({ "type": "text", "text": "see https://example.com/a", "preview": preview, "mentions": [THIRD],
            "forwarded": true, "forwarding_score": 3, "expires_in_s": 86_400, "target": question }),
         json!({ "text": "see https://example.com/a", "preview": preview, "mentions": [third],
            "forwarded": true, "forwarding_score": 3, "expires_in_s": 86_400, "quoted": quoted })),
        (json!({ "type": "image", "media": file, "caption": "look", "width": 4, "height": 3, "thumbnail": "AQID" }),
         seen(json!({ "caption": "look", "width": 4, "height": 3, "has_thumbnail": true }))),
        (json!({ "type": "image", "media": file, "view_once": true, "expires_in_s": 60 }),
         seen(json!({ "view_once": true, "expires_in_s": 60 }))),
        (json!({ "type": "video", "media": file, "caption": "film", "duration_s": 9, "width": 4, "height": 3,
            "animated": true }),
         seen(json!({ "caption": "film", "duration_s": 9, "width": 4, "height": 3, "animated": true }))),
        (json!({ "type": "video_note", "media": file, "duration_s": 5, "target": question }),
         seen(json!({ "duration_s": 5, "quoted": quoted }))),
        (json!({ "type": "audio", "media": file, "duration_s": 200 }), seen(json!({ "duration_s": 200 }))),
        (json!({ "type": "voice", "media": file, "duration_s": 2, "waveform": [0, 50, 100], "view_once": true }),
         seen(json!({ "duration_s": 2, "waveform": [0, 50, 100], "view_once": true }))),
        (json!({ "type": "sticker", "media": file, "animated": true, "width": 512, "height": 512 }),
         seen(json!({ "animated": true, "width": 512, "height": 512 }))),
        (json!({ "type": "document", "media": file, "filename": "a.pdf", "caption": "read", "forwarded": true }),
         seen(json!({ "filename": "a.pdf", "caption": "read", "forwarded": true, "forwarding_score": 1 }))),
        (json!({ "type": "location", "latitude": 52.52, "longitude": 13.405, "name": "Gate", "address": "Platz 1" }),
         json!({ "latitude": 52.52, "longitude": 13.405, "name": "Gate", "address": "Platz 1", "live": false })),
        (json!({ "type": "location", "latitude": -1.5, "longitude": 0.25, "live": true, "caption": "on my way" }),
         json!({ "latitude": -1.5, "longitude": 0.25, "live": true, "caption": "on my way" })),
        (json!({ "type": "contact", "contacts": [{ "name": "Eve", "vcard": CARD }], "target": question }),
         json!({ "contacts": [{ "name": "Eve", "vcard": CARD }], "quoted": quoted })),
        (json!({ "type": "contact", "contacts": [{ "name": "Eve", "vcard": CARD }, { "name": "Ada, B",
            "phones": ["+15550004444"], "organization": "Us", "email": "a@b.example" }] }),
         json!({ "contacts": [{ "name": "Eve", "vcard": CARD }, { "name": "Ada, B", "vcard": ada }] })),
        (json!({ "type": "poll", "question": "When?", "options": ["now", "later", "never"], "max_choices": 2 }),
         json!({ "question": "When?", "options": ["now", "later", "never"], "max_choices": 2 })),
        (json!({ "type": "poll", "question": "Who?", "options": ["you", "I"], "expires_in_s": 60 }),
         json!({ "question": "Who?", "options": ["you", "I"], "max_choices": 1, "expires_in_s": 60 })),
        (json!({ "type": "poll_vote", "target": poll, "options": ["b", "a"] }), json!({ "options": ["a", "b"] })),
        (json!({ "type": "poll_vote", "target": poll, "options": [] }), json!({ "options": [] })),
        (json!({ "type": "event", "name": "Party", "starts_at": "2026-12-31T20:00:00Z", "description": "Bring cake",
            "ends_at": "2027-01-01T02:00:00Z", "location": place }),
         json!({ "name": "Party", "starts_at": "2026-12-31T20:00:00Z", "description": "Bring cake",
            "ends_at": "2027-01-01T02:00:00Z", "location": place, "canceled": false })),
        (json!({ "type": "event", "name": "Walk", "starts_at": "2026-12-31T20:00:00Z", "canceled": true }),
         json!({ "name": "Walk", "starts_at": "2026-12-31T20:00:00Z", "canceled": true })),
        (json!({ "type": "event_response", "target": event, "response": "maybe" }), json!({ "response": "maybe" })),
        (json!({ "type": "reaction", "text": "👍", "target": question }), json!({ "emoji": "👍" })),
        (json!({ "type": "reaction", "text": "", "target": question }), json!({ "emoji": "" })),
        (json!({ "type": "pin", "target": question, "for_s": 86_400 }), json!({ "pinned": true, "for_s": 86_400 })),
        (json!({ "type": "pin", "target": question, "pinned": false }), json!({ "pinned": false })),
        (json!({ "type": "edit", "text": "better", "target": own }), json!({ "text": "better" })),
        (json!({ "type": "delete", "target": own }), Value::Null),
        (json!({ "type": "unknown", "raw_type": "paymentInviteMessage" }), json!({ "raw_type": "paymentInviteMessage" })),
        (json!({ "type": "unknown", "raw_type": "newsletterAdminInviteMessage" }),
         json!({ "raw_type": "newsletterAdminInviteMessage" })),
    ]
}

const KINDS: [&str; 19] = [
    "text",
    "image",
    "video",
    "video_note",
    "audio",
    "voice",
    "sticker",
    "document",
    "location",
    "contact",
    "poll",
    "poll_vote",
    "event",
    "event_response",
    "reaction",
    "pin",
    "edit",
    "delete",
    "unknown",
];

/// What the messages of a table are about, written by both sides.
async fn chat(owner: (&PhoneHandle, &str), contact: (&PhoneHandle, &str), third: String) -> Result<Chat> {
    let poll = json!({ "type": "poll", "question": "Which?", "options": ["a", "b", "c"], "max_choices": 0 });
    let event = json!({ "type": "event", "name": "Show", "starts_at": "2026-12-31T20:00:00Z" });
    Ok(Chat {
        question: owner.0.send_text(owner.1, "question").await?.whatsapp_id,
        poll: send(owner.0, owner.1, poll).await?,
        event: send(owner.0, owner.1, event).await?,
        own: contact.0.send_text(contact.1, "good").await?.whatsapp_id,
        third,
    })
}

#[tokio::test]
async fn every_kind_arrives_as_it_was_written_between_people_and_in_groups_by_either_address() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let network = served.network();
    let mut people = Vec::new();
    for number in [OWNER, CONTACT, THIRD] {
        people.push(network.create_phone(number, None).await?.0);
    }
    let mut places = vec![
        (people[1].number.clone(), people[0].number.clone(), people[2].jid.clone()),
        (people[1].lid.clone(), people[0].lid.clone(), people[2].lid.clone()),
    ];
    for (mode, third) in [("pn", &people[2].jid), ("lid", &people[2].lid)] {
        let new = NewGroup {
            subject: "Club".to_owned(),
            participants: vec![CONTACT.to_owned()],
            addressing_mode: Some(mode.to_owned()),
            ..Default::default()
        };
        let group = owner.create_group(new).await?.jid;
        places.push((group.clone(), group, third.clone()));
    }
    for (from_owner, from_contact, third) in places {
        let chat = chat((&owner, &from_owner), (&contact, &from_contact), third).await?;
        let table = table(&chat);
        let kinds: BTreeSet<_> = table.iter().filter_map(|(sent, _)| sent["type"].as_str()).collect();
        assert_eq!(kinds, BTreeSet::from(KINDS));
        for (sent, seen) in table {
            let id = send(&contact, &from_contact, sent.clone()).await?;
            let got = entry(&owner, &id).await?;
            assert_eq!(Some(got.r#type.as_str()), sent["type"].as_str(), "{sent}");
            assert_eq!(got.content.unwrap_or_default(), seen, "{sent} to {from_contact}");
            assert_eq!(got.target.as_deref(), sent["target"].as_str(), "{sent}");
            let text = sent["text"].as_str().or(sent["caption"].as_str()).filter(|_| sent["live"].is_null());
            assert_eq!(got.text.as_deref(), text, "{sent}");
            assert_eq!(
                got.media.is_some_and(|media| media.state == "ok"),
                sent["media"].is_object(),
                "{sent}"
            );
        }
    }
    Ok(())
}

/// The kind of message that a client found under the envelopes.
fn kind(message: &wa::Message) -> &'static str {
    let base = message.get_base_message();
    let voice = base.audio_message.as_option().is_some_and(|audio| audio.ptt == Some(true));
    let edit = base.protocol_message.as_option().map(|protocol| protocol.edited_message.is_set());
    [
        ("text", base.conversation.is_some() || base.extended_text_message.is_set()),
        ("image", base.image_message.is_set()),
        ("video", base.video_message.is_set()),
        ("video_note", base.ptv_message.is_set()),
        ("voice", voice),
        ("audio", base.audio_message.is_set()),
        ("sticker", base.sticker_message.is_set()),
        ("document", base.document_message.is_set()),
        ("location", base.location_message.is_set() || base.live_location_message.is_set()),
        ("contact", base.contact_message.is_set() || base.contacts_array_message.is_set()),
        ("poll", base.poll_creation_message.is_set() || base.poll_creation_message_v3.is_set()),
        ("poll_vote", base.poll_update_message.is_set()),
        ("event", base.event_message.is_set()),
        ("event_response", base.enc_event_response_message.is_set()),
        ("reaction", base.reaction_message.is_set()),
        ("pin", base.pin_in_chat_message.is_set()),
        ("edit", edit == Some(true)),
        ("delete", edit == Some(false)),
    ]
    .into_iter()
    .find_map(|(kind, is)| is.then_some(kind))
    .unwrap_or("unknown")
}

/// The message of this id, as the client has it.
async fn received(client: &mut TestClient, id: &str) -> Result<wa::Message> {
    client
        .expect(id, |event| {
            event.messages().find(|inbound| inbound.info.id == id).map(|found| (*found.message).clone())
        })
        .await
}

fn secret(message: &wa::Message) -> Option<Vec<u8>> {
    message.message_context_info.as_option()?.message_secret.clone()
}

#[tokio::test]
async fn the_client_gets_every_kind() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    served.phone(THIRD).await?;
    let mut client = served.paired(&owner).await?;
    let new =
        NewGroup { subject: "Club".to_owned(), participants: vec![OWNER.to_owned()], ..Default::default() };
    let group = contact.create_group(new).await?.jid;
    for (from_owner, from_contact) in [(CONTACT, OWNER), (group.as_str(), group.as_str())] {
        let chat = chat((&owner, from_owner), (&contact, from_contact), String::new()).await?;
        for (sent, _) in table(&chat) {
            let id = send(&contact, from_contact, sent.clone()).await?;
            let message = received(&mut client, &id).await?;
            assert_eq!(Some(kind(&message)), sent["type"].as_str(), "{sent}");
            assert_eq!(message.is_view_once(), sent["view_once"] == true, "{sent}");
            let expires = message.get_base_message().get_ephemeral_expiration().unwrap_or(0);
            assert_eq!(u64::from(expires), sent["expires_in_s"].as_u64().unwrap_or(0), "{sent}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn votes_and_answers_are_decrypted_by_the_client_and_by_phones() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let own = client.client();
    let (me, you) = (Jid::pn(&OWNER[1..]), Jid::pn(&CONTACT[1..]));
    let options = ["tea", "coffee"].map(str::to_owned);

    // The client asks: the contact votes, which the client and its own phone decrypt.
    let (sent, poll_secret) = own.polls().create(you.clone(), "What?", &options, 1).await?;
    let poll = sent.message_id;
    let seen = json!({ "question": "What?", "options": options, "max_choices": 1 });
    assert_eq!(entry(&contact, &poll).await?.content, Some(seen));
    until("the owner's copy", || async {
        let vote = json!({ "type": "poll_vote", "target": poll, "options": ["tea"] });
        Ok(send(&owner, CONTACT, vote).await.ok())
    })
    .await?;
    let vote = json!({ "type": "poll_vote", "target": poll, "options": ["coffee"] });
    let vote = send(&contact, OWNER, vote).await?;
    assert_eq!(entry(&owner, &vote).await?.content, Some(json!({ "options": ["coffee"] })));
    let message = received(&mut client, &vote).await?;
    let update = message.poll_update_message.as_option().context("a vote")?;
    let sealed = update.vote.as_option().context("its content")?;
    let sealed = PollVoteCiphertext {
        enc_payload: sealed.enc_payload.as_deref().context("a ciphertext")?,
        enc_iv: sealed.enc_iv.as_deref().context("a nonce")?,
    };
    let chosen = own.polls().decrypt_vote(sealed, &poll_secret, &poll, &me, &you).await?;
    assert_eq!(chosen, [wacore::poll::compute_option_hash("coffee").to_vec()]);

    // The contact asks, and the client answers.
    let asked = json!({ "type": "poll", "question": "Which?", "options": ["a", "b"], "max_choices": 0 });
    let poll = send(&contact, OWNER, asked).await?;
    let poll_secret = secret(&received(&mut client, &poll).await?).context("a secret")?;
    let chosen = ["a", "b"].map(str::to_owned);
    let vote = own.polls().vote(you.clone(), &poll, &you, &poll_secret, &chosen).await?.message_id;
    let got = entry(&contact, &vote).await?;
    assert_eq!((got.r#type.as_str(), got.target.as_deref()), ("poll_vote", Some(poll.as_str())));
    assert_eq!(got.content, Some(json!({ "options": ["a", "b"] })));

    // The same with events.
    let event = EventCreationParams {
        name: "Show".to_owned(),
        start_time: Some(1_800_000_000),
        ..Default::default()
    };
    let (sent, _) = own.events().create(you.clone(), event).await?;
    let seen = json!({ "name": "Show", "starts_at": "2027-01-15T08:00:00Z", "canceled": false });
    assert_eq!(entry(&contact, &sent.message_id).await?.content, Some(seen));
    let asked = json!({ "type": "event", "name": "Walk", "starts_at": "2027-01-15T08:00:00Z" });
    let event = send(&contact, OWNER, asked).await?;
    let event_secret = secret(&received(&mut client, &event).await?).context("a secret")?;
    let response = EventResponseType::NOT_GOING;
    let answer = own.events().respond(you.clone(), &event, &you, &event_secret, response, None).await?;
    let got = entry(&contact, &answer.message_id).await?;
    assert_eq!((got.r#type.as_str(), got.target.as_deref()), ("event_response", Some(event.as_str())));
    assert_eq!(got.content, Some(json!({ "response": "not_going" })));

    // A vote with another secret is a vote that nobody can read.
    let vote = own.polls().vote(you.clone(), &poll, &you, &[7; 32], &chosen).await?.message_id;
    let got = entry(&contact, &vote).await?;
    assert_eq!((got.r#type.as_str(), got.content), ("poll_vote", None));
    Ok(())
}

fn within(message: wa::Message) -> wa::message::FutureProofMessage {
    wa::message::FutureProofMessage { message: message.into() }
}

#[tokio::test]
async fn a_phone_looks_into_every_envelope_that_a_client_sends() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let client = served.paired(&owner).await?;
    let upload = client.client().upload(vec![1, 2, 3], MediaType::Image, Default::default()).await?;
    let image = |view_once, context_info: Option<wa::ContextInfo>| wa::Message {
        image_message: wa::message::ImageMessage {
            mimetype: Some("image/png".to_owned()),
            media_key: Some(upload.media_key.to_vec()),
            file_sha256: Some(upload.file_sha256.to_vec()),
            file_enc_sha256: Some(upload.file_enc_sha256.to_vec()),
            file_length: Some(upload.file_length),
            direct_path: Some(upload.direct_path.clone()),
            view_once,
            context_info: context_info.map_or_else(Default::default, Into::into),
            ..Default::default()
        }
        .into(),
        ..Default::default()
    };
    let lasts = wa::ContextInfo { expiration: Some(60), ..Default::default() };
    let document = wa::message::DocumentMessage {
        file_name: Some("a.txt".to_owned()),
        caption: Some("read".to_owned()),
        ..Default::default()
    };
    let document = wa::Message { document_message: document.into(), ..Default::default() };
    let text = wa::Message { conversation: Some("inside".to_owned()), ..Default::default() };
    let plain = json!({ "mime_type": "image/png", "size_bytes": 3, "has_thumbnail": false });
    let with = |name: &str, value: Value| {
        let mut fields = plain.clone();
        fields[name] = value;
        fields
    };
    let once = image(None, None);
    let cases = [
        (image(Some(true), None), "image", with("view_once", json!(true))),
        (image(None, Some(lasts)), "image", with("expires_in_s", json!(60))),
        (
            wa::Message { view_once_message: within(once.clone()).into(), ..Default::default() },
            "image",
            with("view_once", json!(true)),
        ),
        (
            wa::Message { view_once_message_v2: within(once.clone()).into(), ..Default::default() },
            "image",
            with("view_once", json!(true)),
        ),
        (
            wa::Message { view_once_message_v2_extension: within(once).into(), ..Default::default() },
            "image",
            with("view_once", json!(true)),
        ),
        (
            wa::Message { document_with_caption_message: within(document).into(), ..Default::default() },
            "document",
            json!({ "filename": "a.txt", "caption": "read", "has_thumbnail": false }),
        ),
        (
            wa::Message { ephemeral_message: within(text.clone()).into(), ..Default::default() },
            "text",
            json!({ "text": "inside" }),
        ),
        (
            wa::Message { group_mentioned_message: within(text).into(), ..Default::default() },
            "text",
            json!({ "text": "inside" }),
        ),
    ];
    let to = Jid::pn(&CONTACT[1..]);
    for (message, kind, seen) in cases {
        let id = client.client().send_message(to.clone(), message.clone()).await?.message_id;
        let got = entry(&contact, &id).await?;
        assert_eq!((got.r#type.as_str(), got.content), (kind, Some(seen)), "{message:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_no_phone_could_send_is_refused_with_the_field() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let text = owner.send_text(CONTACT, "text").await?.whatsapp_id;
    let poll = json!({ "type": "poll", "question": "Which?", "options": ["a", "b"] });
    let poll = send(&owner, CONTACT, poll).await?;
    let file = json!({ "data": "AQID" });
    let party = "2026-12-31T20:00:00Z";
    for (message, pointer) in [
        (json!({ "type": "hologram" }), "/type"),
        (json!({ "type": "text" }), "/text"),
        (json!({ "type": "text", "text": "x", "caption": "x" }), "/caption"),
        (json!({ "type": "text", "text": "x", "preview": { "url": "https://example.com" } }), "/preview/url"),
        (json!({ "type": "text", "text": "x", "mentions": [] }), "/mentions"),
        (json!({ "type": "text", "text": "x", "mentions": ["1@g.us"] }), "/mentions"),
        (json!({ "type": "text", "text": "x", "view_once": true }), "/view_once"),
        (json!({ "type": "text", "text": "x", "expires_in_s": 0 }), "/expires_in_s"),
        (json!({ "type": "text", "text": "x", "forwarding_score": 128 }), "/forwarding_score"),
        (json!({ "type": "voice", "media": file, "waveform": [101] }), "/waveform"),
        (json!({ "type": "image", "media": file, "thumbnail": "?" }), "/thumbnail"),
        (json!({ "type": "image", "media": { "data": "?" } }), "/media/data"),
        (json!({ "type": "image" }), "/media"),
        (json!({ "type": "location", "latitude": 1 }), "/longitude"),
        (json!({ "type": "location", "latitude": 91, "longitude": 0 }), "/latitude"),
        (json!({ "type": "location", "latitude": 1, "longitude": 0, "live": true, "name": "x" }), "/name"),
        (json!({ "type": "contact", "contacts": [{ "name": "x" }] }), "/contacts"),
        (json!({ "type": "contact", "contacts": vec![json!({ "vcard": "x" }); 21] }), "/contacts"),
        (json!({ "type": "poll", "question": "x", "options": ["a"] }), "/options"),
        (json!({ "type": "poll", "question": "x", "options": ["a", "a"] }), "/options"),
        (json!({ "type": "poll", "question": "x", "options": ["a", "b"], "max_choices": 3 }), "/max_choices"),
        (json!({ "type": "poll_vote", "target": poll, "options": ["c"] }), "/options"),
        (json!({ "type": "poll_vote", "target": poll, "options": ["a", "b"] }), "/options"),
        (json!({ "type": "poll_vote", "target": text, "options": ["a"] }), "/target"),
        (json!({ "type": "poll_vote", "target": "none", "options": ["a"] }), "/target"),
        (json!({ "type": "event", "name": "x", "starts_at": "soon" }), "/starts_at"),
        (json!({ "type": "event", "name": "x", "starts_at": party, "ends_at": party }), "/ends_at"),
        (json!({ "type": "event_response", "target": poll, "response": "going" }), "/target"),
        (json!({ "type": "event_response", "target": poll, "response": "never" }), "/response"),
        (json!({ "type": "pin", "target": text, "pinned": false, "for_s": 60 }), "/for_s"),
        (json!({ "type": "edit", "target": text, "text": "x" }), "/target"),
        (json!({ "type": "delete", "target": text }), "/target"),
        (json!({ "type": "reaction", "text": "x" }), "/target"),
        (json!({ "type": "unknown", "raw_type": "conversation" }), "/raw_type"),
    ] {
        let new: NewMessage = serde_json::from_value(message.clone())?;
        let refused = contact.send(OWNER, new).await.unwrap_err();
        assert_eq!(refused.pointer, Some(pointer), "{message}");
    }
    assert!(owner.inbox().await?.is_empty());
    assert!(serde_json::from_value::<NewMessage>(json!({ "type": "text", "colour": "red" })).is_err());
    Ok(())
}
