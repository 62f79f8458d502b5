use waxwing_domain::{Network, session::SessionStatus};
use waxwing_host::HostSettings;
use waxwing_whatsapp::NETWORK;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_the_other_network_is_refused_and_says_which_build_it_needs() {
    let world = World::with(HostSettings::default()).await;
    let (other, needed) = match NETWORK {
        Network::Sandbox => (Network::Whatsapp, "needs_live_build"),
        Network::Whatsapp => (Network::Sandbox, "needs_sandbox_build"),
    };
    let session = world.session_of(other).await;
    let (view, live) = world
        .until("the refusal", session, |view, live| {
            view.status == SessionStatus::Failed && live.status == SessionStatus::Failed
        })
        .await;
    assert_eq!((view.reason.as_deref(), live.reason.as_deref()), (Some(needed), Some(needed)));
    assert_eq!(world.wire.connections(), 0, "nothing was even tried");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_network_a_session_says_so_and_goes_on_trying() {
    let world = World::with(HostSettings::default()).await;
    world.wire.cut();
    let session = world.session("shop").await;
    let (view, live) =
        world.until("the reason", session, |_, live| live.status == SessionStatus::Reconnecting).await;
    assert_eq!(live.reason.as_deref(), Some("network_unreachable"));
    assert_eq!(view.status, SessionStatus::Connecting);
    let commits = world.session_commits(session).await;
    assert_eq!(commits, 1, "what was never connected has not dropped: that is no news");
    world.end().await;
}
