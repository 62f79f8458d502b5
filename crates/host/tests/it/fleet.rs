use std::collections::BTreeSet;

use waxwing_domain::SessionId;

use crate::world::World;

const FRIEND: &str = "15550002222";
const SESSIONS: usize = 8;

/// One text from each session, and the hosts where they are then.
async fn speak(world: &World, sessions: &[SessionId], text: &str) -> Vec<String> {
    let chat = format!("{FRIEND}@s.whatsapp.net");
    let mut sent = Vec::new();
    for session in sessions {
        sent.push(world.send(*session, &chat, text).await.whatsapp_id);
    }
    world.deliver(&world.message_commits().await).await;
    sent
}

async fn settle(world: &World, hosts: usize, sessions: &[SessionId]) -> BTreeSet<String> {
    let mut holders = BTreeSet::new();
    for session in sessions {
        holders.insert(world.settled(hosts, *session).await);
    }
    holders
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_move_to_a_host_that_joins_and_from_one_that_leaves_and_nobody_notices() {
    let world = World::without_hosts().await;
    world.network.create_phone(FRIEND, None).await.unwrap();
    world.join("a");
    let mut sessions = Vec::new();
    for number in 0..SESSIONS {
        sessions.push(world.linked(&format!("1555100{number:04}")).await);
    }
    assert_eq!(settle(&world, 1, &sessions).await, BTreeSet::from(["a".to_owned()]));
    let mut commits = Vec::new();
    for session in &sessions {
        commits.push(world.session_commits(*session).await);
    }

    let mut sent = Vec::new();
    // Of eight sessions some belong to each of two hosts; which ones, chance says.
    world.join("b");
    sent.extend(speak(&world, &sessions, "while they move").await);
    let shared = settle(&world, 2, &sessions).await;
    assert!(!shared.is_empty() && shared.is_subset(&["a", "b"].map(str::to_owned).into()), "{shared:?}");
    sent.extend(speak(&world, &sessions, "from both").await);
    world.leave("a").await;
    sent.extend(speak(&world, &sessions, "from the other").await);
    assert_eq!(settle(&world, 1, &sessions).await, BTreeSet::from(["b".to_owned()]));
    for session in &sessions {
        world.outbox_is_empty(*session).await;
    }

    // The network may have been told twice, under the same id; the person sees it once.
    let inbox = world.network.phone(FRIEND).unwrap().inbox().await.unwrap();
    for id in &sent {
        assert_eq!(inbox.iter().filter(|entry| entry.whatsapp_id == *id).count(), 1);
    }
    assert_eq!(inbox.len(), sent.len());
    for (session, before) in sessions.iter().zip(commits) {
        assert_eq!(world.session_commits(*session).await, before, "moving is no news");
    }
    world.end().await;
}
