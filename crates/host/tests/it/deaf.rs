use std::time::Duration;

use waxwing_app::views::HealthState;
use waxwing_domain::session::SessionStatus;
use waxwing_host::HostSettings;

use crate::world::World;

const OWNER: &str = "15550001111";
const FRIEND: &str = "15550002222";

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_socket_is_open_and_hears_nothing_is_deaf_and_connects_anew() {
    let second = Duration::from_secs(1);
    let world =
        World::with(HostSettings { silence: second, answer: second, ..HostSettings::default() }).await;
    world.network.create_phone(FRIEND, None).await.unwrap();
    let session = world.linked(OWNER).await;
    let commits = world.session_commits(session).await;
    // It is asked, and answers: nobody is deaf because nothing happens.
    tokio::time::sleep(4 * second).await;
    let well = |health| health == HealthState::Healthy;
    world
        .until("health", session, |_, live| {
            live.status == SessionStatus::Connected && well(live.health.state)
        })
        .await;

    world.wire.stall(true);
    let (_, live) = world.until("deafness", session, |_, live| live.health.state == HealthState::Deaf).await;
    assert_eq!(live.health.reason.as_deref(), Some("no_answer"));
    world.wire.stall(false);
    world
        .until("hearing", session, |_, live| {
            live.status == SessionStatus::Connected && well(live.health.state)
        })
        .await;
    assert_eq!(world.session_commits(session).await, commits, "shorter than the grace is no news");

    let sent = world.send(session, &format!("{FRIEND}@s.whatsapp.net"), "after it").await;
    world.deliver(&world.message_commits().await).await;
    world.outbox_is_empty(session).await;
    let ledger = world.network.ledger().await.unwrap();
    assert_eq!(ledger.iter().filter(|entry| entry.whatsapp_id == sent.whatsapp_id).count(), 1);
    world.end().await;
}
