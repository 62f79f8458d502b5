use std::sync::Arc;

use anyhow::Result;
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::Event;
use waxwing_sandbox::{ChatChange, FaultRequest, NewGroup, limits};
use whatsapp_rust::Jid;

use crate::support::{Served, TestClient};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";

/// Waits until the client learns that a chat is archived, or no longer. Clients learn of their own changes, too.
async fn archived(client: &mut TestClient, expected: bool) -> Result<()> {
    client
        .expect("archived chat", |event| match event {
            Event::ArchiveUpdate(update) if update.action.archived == Some(expected) => Some(()),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn what_one_device_archives_the_others_learn_now_later_and_after_a_restart() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let served = Served::in_folder(folder.path()).await?;
    let owner = served.phone(OWNER).await?;
    served.phone(CONTACT).await?;
    let (mut first, mut second) = (served.paired(&owner).await?, served.paired(&owner).await?);
    let chat = Jid::pn("15550002222");
    first.client().chat_actions().archive_chat(&chat, None).await?;
    archived(&mut second, true).await?;
    // Built on what the other one wrote.
    second.client().chat_actions().unarchive_chat(&chat, None).await?;
    archived(&mut first, false).await?;
    let backend = second.stop().await;
    first.client().chat_actions().archive_chat(&chat, None).await?;
    first.stop().await;
    served.kill();

    let served = Served::in_folder(folder.path()).await?;
    let mut second = TestClient::start(&served.ws_url().await?, Arc::clone(&backend)).await?;
    second.connected().await?;
    archived(&mut second, true).await
}

#[tokio::test]
async fn a_patch_on_an_old_version_conflicts_and_the_client_gets_over_it() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    served.phone(CONTACT).await?;
    let (mut first, mut second) = (served.paired(&owner).await?, served.paired(&owner).await?);
    let chat = Jid::pn("15550002222");
    // What the others do is not told for a minute.
    let silence = FaultRequest {
        kind: "delay".to_owned(),
        for_s: Some(60),
        delay_ms: Some(60_000),
        ..Default::default()
    };
    served.network().inject(silence).await?;
    first.client().chat_actions().archive_chat(&chat, None).await?;
    second.client().chat_actions().pin_chat(&chat).await?;
    // So this can only have come with the refusal.
    archived(&mut second, true).await?;
    served.advance(60_000);
    first
        .expect("pinned chat", |event| match event {
            Event::PinUpdate(update) if update.action.pinned == Some(true) => Some(()),
            _ => None,
        })
        .await?;
    // A patch on another version than it says would not verify: all three agree on what was written.
    first.client().chat_actions().unarchive_chat(&chat, None).await?;
    archived(&mut second, false).await?;
    owner.change_chat(CONTACT, ChatChange::Pin { on: false }).await?;
    for client in [&mut first, &mut second] {
        client
            .expect("chat that is no longer pinned", |event| match event {
                Event::PinUpdate(update) if update.action.pinned == Some(false) => Some(()),
                _ => None,
            })
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_a_person_does_to_chats_on_the_phone_reaches_the_companions() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let theirs = contact.send_text(OWNER, "theirs").await?.whatsapp_id;
    let own = owner.send_text(CONTACT, "own").await?.whatsapp_id;
    let new =
        NewGroup { subject: "Club".to_owned(), participants: vec![OWNER.to_owned()], ..Default::default() };
    let group = contact.create_group(new).await?.jid;
    let in_group = contact.send_text(&group, "to all").await?.whatsapp_id;
    let chat = Jid::pn("15550002222");

    for on in [true, false] {
        owner.change_chat(CONTACT, ChatChange::Archive { on }).await?;
        archived(&mut client, on).await?;
        owner.change_chat(&group, ChatChange::Pin { on }).await?;
        let pinned = client
            .expect("pin", |event| match event {
                Event::PinUpdate(update) => Some((update.jid.to_string(), update.action.pinned)),
                _ => None,
            })
            .await?;
        assert_eq!(pinned, (group.clone(), Some(on)));
        owner.change_chat(CONTACT, ChatChange::Mute { on, until: None }).await?;
        let muted = client
            .expect("mute", |event| match event {
                Event::MuteUpdate(update) => {
                    Some((update.jid.clone(), update.action.muted, update.action.mute_end_timestamp))
                },
                _ => None,
            })
            .await?;
        assert_eq!(muted, (chat.clone(), Some(on), Some(if on { -1 } else { 0 })));
        owner.change_chat(CONTACT, ChatChange::Read { on }).await?;
        let read = client
            .expect("read mark", |event| match event {
                Event::MarkChatAsReadUpdate(update) => Some(update.action.read),
                _ => None,
            })
            .await?;
        assert_eq!(read, Some(on));
    }
    for (place, message, from_me, author) in [
        (CONTACT, &theirs, false, None),
        (CONTACT, &own, true, None),
        (&group, &in_group, false, Some(&chat)),
    ] {
        let star = ChatChange::Star { message: message.clone(), on: true };
        owner.change_chat(place, star).await?;
        let starred = client
            .expect("star", |event| match event {
                Event::StarUpdate(update) => {
                    Some((update.message_id.clone(), update.from_me, update.participant_jid.clone()))
                },
                _ => None,
            })
            .await?;
        assert_eq!(starred, (message.clone(), from_me, author.cloned()));
    }
    owner.change_chat(CONTACT, ChatChange::DeleteForMe { message: theirs.clone() }).await?;
    let deleted = client
        .expect("deletion", |event| match event {
            Event::DeleteMessageForMeUpdate(update) => Some(update.message_id.clone()),
            _ => None,
        })
        .await?;
    assert_eq!(deleted, theirs);
    owner.change_chat(CONTACT, ChatChange::Name { full_name: "Ada".to_owned() }).await?;
    let name = client
        .expect("name", |event| match event {
            Event::ContactUpdate(update) => Some(update.action.full_name.clone()),
            _ => None,
        })
        .await?;
    assert_eq!(name.as_deref(), Some("Ada"));
    owner.change_chat(CONTACT, ChatChange::Clear).await?;
    client.expect("cleared chat", |event| matches!(event, Event::ClearChatUpdate(_)).then_some(())).await?;
    owner.change_chat(CONTACT, ChatChange::Delete).await?;
    client.expect("deleted chat", |event| matches!(event, Event::DeleteChatUpdate(_)).then_some(())).await?;

    let unknown = ChatChange::Star { message: "none".to_owned(), on: true };
    for (place, change, pointer) in [
        (CONTACT, unknown, "/message"),
        ("+15557777777", ChatChange::Clear, "/chat"),
        ("x", ChatChange::Clear, "/chat"),
        (group.as_str(), ChatChange::Name { full_name: "Club".to_owned() }, "/chat"),
        (CONTACT, ChatChange::Name { full_name: String::new() }, "/full_name"),
        (CONTACT, ChatChange::Mute { on: true, until: Some(0) }, "/until"),
    ] {
        assert_eq!(owner.change_chat(place, change).await.unwrap_err().pointer, Some(pointer));
    }
    Ok(())
}

/// The next archived chat, and whether it came with the whole collection.
async fn next_archived(client: &mut TestClient) -> Result<(String, Option<bool>, bool)> {
    client
        .expect("archived chat", |event| match event {
            Event::ArchiveUpdate(update) => {
                Some((update.jid.user.to_string(), update.action.archived, update.from_full_sync))
            },
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_device_far_behind_gets_a_snapshot_in_place_of_a_long_list_of_patches() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    for number in [CONTACT, "+15550003333", "+15550004444"] {
        served.phone(number).await?;
    }
    let mut client = served.paired(&owner).await?;
    owner.change_chat(CONTACT, ChatChange::Archive { on: true }).await?;
    archived(&mut client, true).await?;
    let backend = client.stop().await;
    // More than a page: who has seen the beginning reads them all, who begins sees what they come to.
    for times in 0..=limits::APP_STATE_PAGE {
        owner.change_chat(CONTACT, ChatChange::Archive { on: times % 2 == 0 }).await?;
    }
    owner.change_chat("+15550003333", ChatChange::Archive { on: true }).await?;

    let mut second = TestClient::start(&served.ws_url().await?, Arc::new(InMemoryBackend::new())).await?;
    second.pair(&owner).await?;
    let mut seen = vec![next_archived(&mut second).await?, next_archived(&mut second).await?];
    seen.sort();
    let whole = |user: &str| (user.to_owned(), Some(true), true);
    assert_eq!(seen, [whole("15550002222"), whole("15550003333")]);
    // It goes on with patches, which verify only on the right state.
    owner.change_chat("+15550004444", ChatChange::Archive { on: true }).await?;
    assert_eq!(next_archived(&mut second).await?, ("15550004444".to_owned(), Some(true), false));

    let mut first = TestClient::start(&served.ws_url().await?, backend).await?;
    first.connected().await?;
    let mut one_by_one = 0;
    while next_archived(&mut first).await?.0 != "15550004444" {
        one_by_one += 1;
    }
    assert_eq!(one_by_one, limits::APP_STATE_PAGE + 2);
    Ok(())
}

#[tokio::test]
async fn a_device_whose_patches_are_gone_gets_a_snapshot() -> Result<()> {
    let served = Served::in_memory().await?;
    let owner = served.phone(OWNER).await?;
    served.phone(CONTACT).await?;
    let mut client = served.paired(&owner).await?;
    owner.change_chat(CONTACT, ChatChange::Archive { on: true }).await?;
    archived(&mut client, true).await?;
    let backend = client.stop().await;
    for times in 0..=limits::APP_STATE_PATCHES {
        owner.change_chat(CONTACT, ChatChange::Pin { on: times % 2 == 0 }).await?;
    }
    owner.change_chat(CONTACT, ChatChange::Archive { on: false }).await?;
    let mut client = TestClient::start(&served.ws_url().await?, backend).await?;
    client.connected().await?;
    archived(&mut client, false).await?;
    let mut pins = 0;
    owner.change_chat(CONTACT, ChatChange::Read { on: true }).await?;
    client
        .expect("read mark", |event| {
            pins += usize::from(matches!(event, Event::PinUpdate(_)));
            matches!(event, Event::MarkChatAsReadUpdate(_)).then_some(())
        })
        .await?;
    assert!(pins < 10, "{pins} patches came one by one");
    Ok(())
}
