use std::sync::Arc;

use anyhow::Result;
use wacore::types::events::Event;
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
