use std::time::Duration;

use waxwing_host::HostSettings;

use crate::world::World;

const OWNER: &str = "15550001111";
const FRIEND: &str = "15550002222";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_a_replay_brings_back_into_the_outbox_is_not_sent_again() {
    // What a replay brings back goes at a look.
    let world = World::with(HostSettings { look: Duration::from_secs(2), ..HostSettings::default() }).await;
    world.network.create_phone(FRIEND, None).await.unwrap();
    let session = world.linked(OWNER).await;

    let chat = format!("{FRIEND}@s.whatsapp.net");
    let mut sent = Vec::new();
    for text in ["one", "two", "three"] {
        sent.push(world.send(session, &chat, text).await.whatsapp_id);
    }
    let items = world.message_commits().await;
    world.deliver(&items[..2]).await;
    world.outbox_is_empty(session).await;
    // The first two come again with the third, as when the place in the feed was not kept.
    world.deliver(&items[..3]).await;
    world.outbox_is_empty(session).await;

    let ledger = world.network.ledger().await.unwrap();
    let accepted = |id: &String| ledger.iter().find(|entry| entry.whatsapp_id == *id).unwrap().accepted;
    assert_eq!(sent.iter().map(accepted).collect::<Vec<_>>(), [1, 1, 1]);
    world.end().await;
}
