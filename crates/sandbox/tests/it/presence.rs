use anyhow::Result;
use wacore::types::events::Event;
use wacore::types::presence::ChatPresence;
use waxwing_sandbox::{BehaviourChange, ProfileChange, Reply};
use whatsapp_rust::Jid;

use crate::support::{START_MS, Served, TestClient};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";

/// The next presence of somebody: whether they are away, and since when (Unix seconds).
async fn presence(client: &mut TestClient) -> Result<(bool, Option<i64>)> {
    client
        .expect("presence", |event| match event {
            Event::Presence(update) => {
                Some((update.unavailable, update.last_seen.map(|last| last.timestamp())))
            },
            _ => None,
        })
        .await
}

/// Waits until somebody begins to type, or stops.
async fn typing(client: &mut TestClient, expected: ChatPresence) -> Result<()> {
    client
        .expect("typing", |event| match event {
            Event::ChatPresence(update) if update.state == expected => Some(()),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn who_subscribed_learns_who_comes_and_goes() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let jid = Jid::pn("15550002222");
    client.client().presence().subscribe(&jid).await?;
    assert_eq!(presence(&mut client).await?, (true, None));

    // A simulated person looks at the phone, and puts it away.
    let look = |present| ProfileChange { present: Some(present), ..Default::default() };
    contact.change_profile(look(true)).await?;
    assert_eq!(presence(&mut client).await?, (false, None));
    served.advance(60_000);
    contact.change_profile(look(false)).await?;
    assert_eq!(presence(&mut client).await?, (true, Some(START_MS / 1_000 + 60)));

    // And so does one with a client.
    let other = served.paired(&contact).await?;
    other.client().presence().set_available().await?;
    assert_eq!(presence(&mut client).await?, (false, None));
    served.advance(60_000);
    other.stop().await;
    assert_eq!(presence(&mut client).await?, (true, Some(START_MS / 1_000 + 120)));
    client.client().presence().unsubscribe(&jid).await?;
    Ok(())
}

#[tokio::test]
async fn typing_reaches_the_other_side_and_phones_type_before_they_answer() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    let mut other = served.paired(&contact).await?;
    other.client().chatstate().send_composing(&Jid::pn("15550001111")).await?;
    typing(&mut client, ChatPresence::Composing).await?;
    other.client().chatstate().send_paused(&Jid::pn("15550001111")).await?;
    typing(&mut client, ChatPresence::Paused).await?;
    client.client().chatstate().send_composing(&Jid::pn("15550002222")).await?;
    typing(&mut other, ChatPresence::Composing).await?;

    let change = BehaviourChange {
        typing_ms: Some(2_000),
        reply: Some(Some(Reply::Text("well".to_owned()))),
        ..Default::default()
    };
    contact.change_behaviour(change).await?;
    client.send(CONTACT, "well?").await?;
    typing(&mut client, ChatPresence::Composing).await?;
    assert!(owner.inbox().await?.is_empty());
    served.advance(2_000);
    assert_eq!(client.texts(1).await?, ["well"]);
    Ok(())
}
