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
