use std::time::Duration;

use waxwing_domain::session::SessionStatus;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_at_rest_asks_for_nothing_until_it_is_told() {
    let world = World::new().await;
    let session = world.linked("15550001111").await;
    world.stop(session).await;
    world.until("the stop", session, |_, live| live.status == SessionStatus::Stopped).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = world.calls();
    tokio::time::sleep(Duration::from_secs(2)).await;
    // A look at the wish and the outbox may fall into the time, and the host's own tasks ask for parked receipts.
    let asked = world.calls() - before;
    assert!(asked < 20, "{asked} calls in two seconds");
    world.end().await;
}
