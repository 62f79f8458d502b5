use waxwing_domain::{
    message::{Direction, MessageStatus, Origin},
    session::{SessionSettings, SessionStatus},
};
use waxwing_host::HostSettings;

use crate::world::World;

const OWNER: &str = "15550001111";
const FRIENDS: [&str; 3] = ["15550002222", "15550003333", "15550004444"];
/// Messages of the past with each friend.
const EACH: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_the_link_is_imported_once_in_its_place_and_nobody_is_told() {
    let world = World::with(HostSettings::default()).await;
    world.network.create_phone(OWNER, None).await.unwrap();
    let owner = world.network.phone(OWNER).unwrap();
    for friend in FRIENDS {
        world.network.create_phone(friend, None).await.unwrap();
        let phone = world.network.phone(friend).unwrap();
        for number in 0..EACH / 2 {
            phone.send_text(OWNER, &format!("{number} in")).await.unwrap();
            owner.send_text(friend, &format!("{number} out")).await.unwrap();
        }
    }
    owner.hand_over_history(1_000).await.unwrap();
    let settings = SessionSettings { import_history: true, ..SessionSettings::default() };
    let session = world.linked_with(OWNER, settings).await;
    // Wherever it is in its import, it goes on after a restart.
    world.stop(session).await;
    world.until("the stop", session, |_, live| live.status == SessionStatus::Stopped).await;
    world.start(session).await;
    world.sees("the history", async || world.messages(session).await.len() == FRIENDS.len() * EACH).await;
    world.sees("the end of the import", async || world.kept_history(session).await == 0).await;

    let messages = world.messages(session).await;
    assert_eq!(messages.len(), FRIENDS.len() * EACH);
    assert!(messages.iter().all(|message| message.origin == Origin::History));
    assert!(messages.is_sorted_by_key(|message| message.created_at), "each stands where it was said");
    for friend in FRIENDS {
        let chat = format!("{friend}@s.whatsapp.net");
        let said: Vec<_> = messages.iter().filter(|message| message.chat.jid.to_string() == chat).collect();
        assert_eq!(said.len(), EACH);
        for message in said {
            let out = message.content.text().unwrap().ends_with("out");
            assert_eq!(message.direction == Direction::Out, out);
            assert_eq!(message.from.as_ref().unwrap().jid.to_string() == chat, !out);
            assert_ne!(message.status, MessageStatus::Queued);
        }
    }
    assert_eq!(world.told_messages().await, 0);
    let live = world.network.phone(FRIENDS[0]).unwrap().send_text(OWNER, "now").await.unwrap();
    world.sees("a message of today", async || world.told_messages().await == 1).await;
    assert_eq!(world.messages(session).await.last().unwrap().whatsapp_id, live.whatsapp_id);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_goes_with_its_link_and_is_nobody_elses() {
    let world = World::with(HostSettings::default()).await;
    let settings = SessionSettings { import_history: true, ..SessionSettings::default() };
    let session = world.linked_with(OWNER, settings).await;
    world.sees("the own history", async || world.kept_history(session).await == 0).await;
    world.stop(session).await;
    world.until("the stop", session, |_, live| live.status == SessionStatus::Stopped).await;
    world.keep_history(session, FRIENDS[0]).await;
    world.start(session).await;
    world.sees("another's history forgotten", async || world.kept_history(session).await == 0).await;

    world.stop(session).await;
    world.until("the stop", session, |_, live| live.status == SessionStatus::Stopped).await;
    world.keep_history(session, OWNER).await;
    world.log_out(session).await;
    world.sees("the own history forgotten", async || world.kept_history(session).await == 0).await;
    assert!(world.messages(session).await.is_empty());
    world.end().await;
}
