use anyhow::Result;
use serde_json::json;
use waxwing_sandbox::{BehaviourChange, NewMessage, OpenError, Reply, Sandbox};

use crate::support::{START_MS, Served, TestClient, seeded_options, until};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";

#[tokio::test]
async fn a_killed_sandbox_keeps_pairing_ratchets_queue_and_inbox() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let served = Served::in_folder(folder.path()).await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let id = client.send(CONTACT, "before").await?;
    client.acknowledged(&id).await?;
    contact.send_text(OWNER, "to the client").await?;
    client.texts(1).await?;
    let backend = client.stop().await;
    contact.send_text(OWNER, "while away").await?;
    let info = served.network().info().await?;
    served.kill();

    let served = Served::in_folder(folder.path()).await?;
    assert_eq!(served.network().info().await?, info);
    let mut client = TestClient::start(&served.ws_url().await?, backend).await?;
    client.connected().await?;
    assert_eq!(client.texts(1).await?, ["while away"]);
    let id = client.send(CONTACT, "after").await?;
    client.receipt(&id, "Delivered").await?;
    let contact = served.network().phone(CONTACT)?;
    let texts: Vec<_> = contact.inbox().await?.into_iter().filter_map(|entry| entry.text).collect();
    assert_eq!(texts, ["before", "after"]);
    Ok(())
}

#[tokio::test]
async fn a_phone_does_after_a_restart_what_it_had_to_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let served = Served::in_folder(folder.path()).await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let change = BehaviourChange {
        read_after_ms: Some(Some(60_000)),
        reply: Some(Some(Reply::Text("back soon".to_owned()))),
        ..Default::default()
    };
    contact.change_behaviour(change).await?;
    owner.send_text(CONTACT, "are you there?").await?;
    assert!(owner.inbox().await?.is_empty());
    served.kill();

    let served = Served::in_folder(folder.path()).await?;
    served.advance(60_000);
    let owner = served.network().phone(OWNER)?;
    let inbox =
        until("the answer", || async { Ok(Some(owner.inbox().await?).filter(|inbox| !inbox.is_empty())) })
            .await?;
    assert_eq!(inbox[0].text.as_deref(), Some("back soon"));
    assert_eq!(served.network().ledger().await?[0].read, 1);
    Ok(())
}

#[tokio::test]
async fn a_client_that_lost_its_last_ratchet_steps_recovers_by_retry() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    // Answered once, so that the phone no longer sends what a client could begin a ratchet from.
    let id = client.send(CONTACT, "zero").await?;
    client.receipt(&id, "Delivered").await?;
    contact.send_text(OWNER, "one").await?;
    client.texts(1).await?;
    // As if the client had been killed before it stored its session with the contact.
    use wacore::store::traits::SignalStore;
    let backend = client.stop().await;
    for device in ["15550002222@c.us.0".to_owned(), lid_address(&served).await?] {
        backend.delete_session(&device).await?;
    }
    let mut client = TestClient::start(&served.ws_url().await?, backend).await?;
    client.connected().await?;
    contact.send_text(OWNER, "two").await?;
    client
        .expect("failure", |event| {
            matches!(event, wacore::types::events::Event::UndecryptableMessage(_)).then_some(())
        })
        .await?;
    assert_eq!(client.texts(1).await?, ["two"]);
    Ok(())
}

async fn lid_address(served: &Served) -> Result<String> {
    let (info, _) = served.network().create_phone(CONTACT, None).await?;
    Ok(format!("{}.0", info.lid))
}

#[tokio::test]
async fn a_file_of_another_kind_or_version_is_refused() -> Result<()> {
    let clock = waxwing_sandbox::ManualClock::at(START_MS);
    let open = |folder: &std::path::Path| Sandbox::open(folder, seeded_options(&clock)).map(drop);

    let folder = tempfile::tempdir()?;
    std::fs::write(
        folder.path().join("sandbox.db"),
        b"this is no database, only some text that is long enough",
    )?;
    assert!(matches!(open(folder.path()), Err(OpenError::Corrupt(_))));

    let folder = tempfile::tempdir()?;
    let first = Sandbox::open(folder.path(), seeded_options(&clock))?;
    assert!(matches!(open(folder.path()), Err(OpenError::InUse)));
    first.shutdown().await;
    let db = until("the file to be free", || async {
        Ok(rusqlite::Connection::open(folder.path().join("sandbox.db")).ok())
    })
    .await?;
    db.execute_batch("PRAGMA user_version = 99")?;
    drop(db);
    assert!(matches!(open(folder.path()), Err(OpenError::Schema { found: 99, .. })));
    Ok(())
}

#[tokio::test]
async fn a_poll_outlives_a_killed_sandbox_and_a_file_of_the_version_before_is_opened() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let served = Served::in_folder(folder.path()).await?;
    let owner = served.phone(OWNER).await?;
    served.phone(CONTACT).await?;
    let poll = json!({ "type": "poll", "question": "Which?", "options": ["a", "b"] });
    let poll = owner.send(CONTACT, serde_json::from_value::<NewMessage>(poll)?).await?.whatsapp_id;
    served.kill();

    let served = Served::in_folder(folder.path()).await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let vote = json!({ "type": "poll_vote", "target": poll, "options": ["b"] });
    contact.send(OWNER, serde_json::from_value::<NewMessage>(vote)?).await?;
    assert_eq!(owner.inbox().await?[0].content, Some(json!({ "options": ["b"] })));
    served.sandbox.shutdown().await;
    drop(served);

    let db = until("the file to be free", || async {
        Ok(rusqlite::Connection::open(folder.path().join("sandbox.db")).ok())
    })
    .await?;
    let lacks = "ALTER TABLE inbox DROP COLUMN content; ALTER TABLE inbox DROP COLUMN message; PRAGMA user_version = 4";
    db.execute_batch(lacks)?;
    drop(db);
    let served = Served::in_folder(folder.path()).await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    assert_eq!(owner.inbox().await?[0].content, None);
    contact.send_text(OWNER, "hello").await?;
    assert_eq!(owner.inbox().await?[1].content, Some(json!({ "text": "hello" })));
    Ok(())
}
