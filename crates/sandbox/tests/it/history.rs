use std::sync::Arc;

use anyhow::Result;
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::Event;
use waxwing_sandbox::NewGroup;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::history_sync::HistorySyncType;

use crate::support::{Served, TestClient, text};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";

/// The part with recent messages: for each, its chat, whether the owner wrote it, and the text.
async fn recent(client: &mut TestClient) -> Result<Vec<(String, bool, String)>> {
    let messages = client
        .expect("history", |event| match event {
            Event::HistorySync(history) => {
                let history = history.get()?;
                let recent = history.sync_type == HistorySyncType::RECENT;
                recent.then(|| history.conversations.iter().flat_map(of_chat).collect::<Vec<_>>())
            },
            _ => None,
        })
        .await?;
    Ok(messages)
}

fn of_chat(chat: &wa::Conversation) -> Vec<(String, bool, String)> {
    let messages = chat.messages.iter().filter_map(|message| message.message.as_option());
    messages
        .map(|info| {
            let own = info.key.as_option().and_then(|key| key.from_me).unwrap_or(false);
            (chat.id.clone(), own, info.message.as_option().and_then(text).unwrap_or_default())
        })
        .collect()
}

#[tokio::test]
async fn a_new_device_gets_as_many_of_the_newest_messages_as_the_phone_is_set_to() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let new =
        NewGroup { subject: "Club".to_owned(), participants: vec![OWNER.to_owned()], ..Default::default() };
    let group = contact.create_group(new).await?.jid;
    for (index, from_owner) in [false, true, false].into_iter().enumerate() {
        served.advance(1_000);
        let (from, to) = if from_owner { (&owner, CONTACT) } else { (&contact, OWNER) };
        from.send_text(to, &index.to_string()).await?;
    }
    served.advance(1_000);
    contact.send_text(&group, "all").await?;

    owner.hand_over_history(3).await?;
    let mut client = TestClient::start(&served.ws_url().await?, Arc::new(InMemoryBackend::new())).await?;
    client.pair(&owner).await?;
    let chat = "15550002222@s.whatsapp.net".to_owned();
    assert_eq!(
        recent(&mut client).await?,
        [
            (group, false, "all".to_owned()),
            (chat.clone(), false, "2".to_owned()),
            (chat, true, "1".to_owned()),
        ]
    );

    // Too much for a message: it comes as a file.
    contact.send_text(OWNER, &"long ".repeat(13_000)).await?;
    contact.send_text(OWNER, &"long ".repeat(13_000)).await?;
    let mut second = TestClient::start(&served.ws_url().await?, Arc::new(InMemoryBackend::new())).await?;
    second.pair(&owner).await?;
    let long = recent(&mut second).await?;
    assert_eq!(long.iter().filter(|(_, _, text)| text.len() == 65_000).count(), 2);

    assert_eq!(owner.hand_over_history(-1).await.unwrap_err().pointer, Some("/messages"));
    Ok(())
}
