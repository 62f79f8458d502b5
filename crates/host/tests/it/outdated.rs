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

#[tokio::test(flavor = "multi_thread")]
async fn what_one_host_learns_holds_the_others_too() {
    let world = World::without_hosts().await;
    world.join("a");
    world.join("b");
    // Chance says where a session belongs.
    let (mut sessions, mut holders) = (Vec::new(), Vec::new());
    while holders.first() == holders.last() {
        let number = format!("1555100{:04}", sessions.len());
        let session = world.linked(&number).await;
        holders.push(world.settled(2, session).await);
        sessions.push((session, number));
        assert!(sessions.len() < 50, "all sessions belong to one host");
    }
    let ((refused, refused_number), (other, other_number)) = (&sessions[0], &sessions[sessions.len() - 1]);
    world.network.inject(fault("client_outdated", refused_number)).await.unwrap();
    world.until("the refusal", *refused, |view, _| view.status == SessionStatus::ClientOutdated).await;
    // The other host learns it with a beat; what drops before then connects again.
    let held = async || {
        world.network.inject(fault("drop_connections", other_number)).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let (_, live) = world.until("a look", *other, |_, _| true).await;
        live.reason.as_deref() == Some("client_outdated")
    };
    world.sees("the hold", held).await;

    world.start(*refused).await;
    for session in [refused, other] {
        world.until("the connection", *session, |_, live| live.status == SessionStatus::Connected).await;
    }
    world.end().await;
}
