use waxwing_domain::session::SessionStatus;
use waxwing_host::HostSettings;
use waxwing_sandbox::FaultRequest;

use crate::world::World;

const REFUSED: &str = "15550001111";
const OTHER: &str = "15550002222";

fn fault(kind: &str, number: &str) -> FaultRequest {
    FaultRequest { kind: kind.to_owned(), number: Some(number.to_owned()), ..FaultRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refusal_of_an_outdated_client_holds_all_reconnects_until_somebody_tries_again() {
    let world = World::with(HostSettings::default()).await;
    let refused = world.linked(REFUSED).await;
    let other = world.linked(OTHER).await;
    world.network.inject(fault("client_outdated", REFUSED)).await.unwrap();
    world.until("the refusal", refused, |view, _| view.status == SessionStatus::ClientOutdated).await;
    world.network.inject(fault("drop_connections", OTHER)).await.unwrap();
    world
        .until("the hold", other, |_, live| {
            live.status == SessionStatus::Reconnecting && live.reason.as_deref() == Some("client_outdated")
        })
        .await;

    world.start(refused).await;
    for session in [refused, other] {
        world.until("the connection", session, |_, live| live.status == SessionStatus::Connected).await;
    }
    world.end().await;
}
