//! The same seed and the same run give the same ledger, down to every id.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::net::TcpListener;
use wacore::download::MediaType;
use wacore::pair_code::PairCodeOptions;
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::Event;
use waxwing_sandbox::{
    BehaviourChange, ChatChange, Content, FaultRequest, GroupInfo, InboxEntry, LedgerEntry, MediaKind,
    MemberChange, Network, NewGroup, NewMedia, NewMessage, PhoneHandle, PhoneInfo, ProfileChange, Reply,
    SeededNetwork,
};
use whatsapp_rust::Jid;
use whatsapp_rust::waproto::whatsapp as wa;

use crate::support::{TestClient, until};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";
const THIRD: &str = "+15550003333";

/// Everything that somebody outside can see of a run.
#[derive(Debug, PartialEq)]
struct Seen {
    token: String,
    phones: Vec<PhoneInfo>,
    group: GroupInfo,
    invite: String,
    ledger: Vec<LedgerEntry>,
    inboxes: Vec<Vec<InboxEntry>>,
    faults: std::collections::BTreeMap<String, i64>,
}

async fn served(network: &SeededNetwork) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}{}", listener.local_addr()?, network.info().await?.ws_path);
    let router = network.router();
    tokio::spawn(async move {
        axum::serve(listener, router).await.expect("a listener serves until it is dropped")
    });
    Ok(url)
}

async fn phone(network: &SeededNetwork, number: &str) -> Result<PhoneHandle> {
    network.create_phone(number, None).await?;
    Ok(network.phone(number)?)
}

/// Two devices of one phone: one linked by scan, one by code.
async fn linked(url: &str, owner: &PhoneHandle) -> Result<(TestClient, TestClient)> {
    let mut first = TestClient::start(url, Arc::new(InMemoryBackend::new())).await?;
    first.pair(owner).await?;
    let mut second = TestClient::start(url, Arc::new(InMemoryBackend::new())).await?;
    second.expect("a screen", |event| matches!(event, Event::PairingQrCode(_)).then_some(())).await?;
    let options =
        PairCodeOptions { phone_number: OWNER.trim_start_matches('+').to_owned(), ..Default::default() };
    let code = second.client().pair_with_code(options).await?;
    owner.enter_code(&code).await?;
    second.connected().await?;
    Ok((first, second))
}

fn text(text: &str) -> wa::Message {
    wa::Message { conversation: Some(text.to_owned()), ..Default::default() }
}

fn fault(kind: &str, number: &str) -> FaultRequest {
    FaultRequest { kind: kind.to_owned(), number: Some(number.to_owned()), ..Default::default() }
}

/// Waits until the ledger says so of all entries of a message.
async fn settled(network: &SeededNetwork, id: &str, delivered: i64) -> Result<()> {
    until("the receipts", || async {
        let ledger = network.ledger().await?;
        let mut of_message = ledger.iter().filter(|entry| entry.whatsapp_id == id).peekable();
        let there = of_message.peek().is_some();
        Ok((there && of_message.all(|entry| entry.delivered >= delivered)).then_some(()))
    })
    .await
}

/// Asks for what the network signs anew for each answer.
async fn be_curious(client: &TestClient, times: usize) -> Result<()> {
    let own = Jid::pn(OWNER.trim_start_matches('+'));
    for _ in 0..times {
        let people = client.client().contacts().get_user_info(std::slice::from_ref(&own)).await?;
        assert!(people.values().any(|person| person.devices.len() > 1), "{people:?}");
    }
    Ok(())
}

/// One run. How curious the clients are in between must not matter.
async fn run(seed: u64, curious: usize) -> Result<Seen> {
    let network = Network::seeded(seed)?;
    let url = served(&network).await?;
    let (owner, contact, third) =
        (phone(&network, OWNER).await?, phone(&network, CONTACT).await?, phone(&network, THIRD).await?);
    // History: what was before the devices.
    let past = contact.send(OWNER, Content::Text { text: "long ago".to_owned(), target: None }).await?;
    owner.hand_over_history(10).await?;
    network.advance(1_000).await?;
    let (mut first, mut second) = linked(&url, &owner).await?;
    let chat = Jid::pn(CONTACT.trim_start_matches('+'));
    be_curious(&first, curious).await?;

    // Between two people: a message each way, an answer, a reaction, an edit, a deletion.
    first.send_with_id(CONTACT, "question", "3EB0000000000000000001").await?;
    settled(&network, "3EB0000000000000000001", 1).await?;
    let target = "3EB0000000000000000001".to_owned();
    let answer = Content::Text { text: "answer".to_owned(), target: Some(target.clone()) };
    let answer = contact.send(OWNER, answer).await?.whatsapp_id;
    for content in [
        Content::Reaction { text: "+".to_owned(), target },
        Content::Edit { text: "better".to_owned(), target: answer.clone() },
        Content::Delete { target: answer },
    ] {
        let sent = contact.send(OWNER, content).await?;
        settled(&network, &sent.whatsapp_id, 3).await?;
    }

    // A group: made by a phone, written in from both sides, with another member in the end.
    let new =
        NewGroup { subject: "Club".to_owned(), participants: vec![OWNER.to_owned()], ..Default::default() };
    let group = contact.create_group(new).await?;
    let jid: Jid = group.jid.parse()?;
    let sent = contact.send_text(&group.jid, "to the group").await?;
    settled(&network, &sent.whatsapp_id, 3).await?;
    second.send_in(&jid, text("from a companion"), "3EB0000000000000000002").await?;
    settled(&network, "3EB0000000000000000002", 1).await?;
    let poll = json!({ "type": "poll", "question": "Which?", "options": ["a", "b"] });
    let poll = contact.send(&group.jid, serde_json::from_value::<NewMessage>(poll)?).await?;
    settled(&network, &poll.whatsapp_id, 3).await?;
    let vote = json!({ "type": "poll_vote", "target": poll.whatsapp_id, "options": ["b"] });
    let sent = owner.send(&group.jid, serde_json::from_value::<NewMessage>(vote)?).await?;
    settled(&network, &sent.whatsapp_id, 1).await?;
    let add = MemberChange { action: "add".to_owned(), participants: vec![THIRD.to_owned()] };
    contact.change_members(&group.jid, add).await?;

    be_curious(&second, curious).await?;

    // Files in both directions.
    let file = NewMedia {
        kind: MediaKind::Document,
        bytes: vec![7; 5_000],
        mime_type: None,
        caption: None,
        filename: Some("seven.bin".to_owned()),
    };
    let sent = third.send_media(&group.jid, file).await?;
    settled(&network, &sent.whatsapp_id, 1).await?;
    let upload = first.client().upload(vec![8; 5_000], MediaType::Image, Default::default()).await?;
    let image = wa::message::ImageMessage {
        media_key: Some(upload.media_key.to_vec()),
        file_sha256: Some(upload.file_sha256.to_vec()),
        file_enc_sha256: Some(upload.file_enc_sha256.to_vec()),
        file_length: Some(upload.file_length),
        direct_path: Some(upload.direct_path),
        ..Default::default()
    };
    let image = wa::Message { image_message: image.into(), ..Default::default() };
    first.send_in(&chat, image, "3EB0000000000000000003").await?;
    settled(&network, "3EB0000000000000000003", 1).await?;

    // What people and devices change about themselves.
    let change = ProfileChange { about: Some("at sea".to_owned()), ..Default::default() };
    contact.change_profile(change).await?;
    owner.change_chat(CONTACT, ChatChange::Archive { on: true }).await?;
    first.expect("archived chat", |event| matches!(event, Event::ArchiveUpdate(_)).then_some(())).await?;
    second.client().chat_actions().pin_chat(&chat).await?;
    first.expect("pinned chat", |event| matches!(event, Event::PinUpdate(_)).then_some(())).await?;

    // Faults: damage in both directions and in the group, a lost acknowledgement, a slow phone that answers.
    network.inject(fault("corrupt", CONTACT)).await?;
    first.send_with_id(CONTACT, "damaged", "3EB0000000000000000004").await?;
    settled(&network, "3EB0000000000000000004", 1).await?;
    network.inject(FaultRequest { count: Some(2), ..fault("corrupt", OWNER) }).await?;
    let sent = contact.send_text(&group.jid, "damaged in the group").await?;
    settled(&network, &sent.whatsapp_id, 1).await?;
    network.inject(fault("lose_ack", OWNER)).await?;
    first.send_with_id(CONTACT, "again", "3EB0000000000000000005").await?;
    settled(&network, "3EB0000000000000000005", 1).await?;
    first.send_with_id(CONTACT, "again", "3EB0000000000000000005").await?;
    assert_eq!(first.acknowledged("3EB0000000000000000005").await?, None);
    let behaviour = BehaviourChange {
        read_after_ms: Some(Some(2_000)),
        reply: Some(Some(Reply::Echo)),
        ..Default::default()
    };
    contact.change_behaviour(behaviour).await?;
    network.inject(FaultRequest { delay_ms: Some(5_000), ..fault("slow_phone", CONTACT) }).await?;
    second.send_with_id(CONTACT, "slowly", "3EB0000000000000000006").await?;
    assert_eq!(second.acknowledged("3EB0000000000000000006").await?, None);
    network.advance(5_000).await?;
    network.advance(2_000).await?;
    let echo = network.ledger().await?.pop().context("an echo")?;
    assert_eq!((echo.from.as_str(), echo.to.as_str()), (CONTACT, OWNER));
    until("the last receipts", || async {
        // Everything that the owner gets is for three devices, once they are linked.
        let ledger = network.ledger().await?;
        let all = ledger.iter().all(|entry| {
            let devices = if entry.to == OWNER && entry.whatsapp_id != past.whatsapp_id { 3 } else { 1 };
            entry.delivered == devices
        });
        Ok(all.then_some(()))
    })
    .await?;

    let mut inboxes = Vec::new();
    for phone in [&owner, &contact, &third] {
        inboxes.push(phone.inbox().await?);
    }
    let seen = Seen {
        token: network.info().await?.token,
        phones: network.phones(&Default::default()).await?.data,
        group: contact.group(&group.jid).await?,
        invite: contact.group_invite(&group.jid, true).await?,
        ledger: network.ledger().await?,
        inboxes,
        faults: network.fault_counts().await?,
    };
    first.stop().await;
    second.stop().await;
    Ok(seen)
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ledger_and_another_one_another() -> Result<()> {
    let seen = run(42, 0).await?;
    assert!(seen.ledger.len() > 12, "{:?}", seen.ledger);
    assert_eq!(seen, run(42, 3).await?);
    let other = run(43, 0).await?;
    assert_ne!(seen.token, other.token);
    let ids = |seen: &Seen| -> Vec<String> {
        let by_phones = seen.ledger.iter().filter(|entry| entry.whatsapp_id.starts_with("AC"));
        by_phones.map(|entry| entry.whatsapp_id.clone()).collect()
    };
    assert_eq!(ids(&seen).len(), ids(&other).len());
    assert!(ids(&seen).iter().all(|id| !ids(&other).contains(id)));
    Ok(())
}

#[tokio::test]
async fn advancing_does_what_became_due_and_what_follows() -> Result<()> {
    let network = Network::seeded(1)?;
    let (one, other) = (phone(&network, OWNER).await?, phone(&network, CONTACT).await?);
    let behaviour = BehaviourChange {
        read_after_ms: Some(Some(1_000)),
        reply: Some(Some(Reply::Text("done".to_owned()))),
        ..Default::default()
    };
    other.change_behaviour(behaviour).await?;
    // More than is done at a time.
    for number in 0..250 {
        one.send(CONTACT, Content::Text { text: number.to_string(), target: None }).await?;
    }
    network.advance(999).await?;
    assert!(one.inbox().await?.is_empty());
    network.advance(1).await?;
    assert_eq!(one.inbox().await?.len(), 250);
    assert_eq!(network.ledger().await?.iter().filter(|entry| entry.read == 1).count(), 250);
    Ok(())
}
