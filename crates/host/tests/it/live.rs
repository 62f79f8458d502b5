//! What the live build meets where there is no WhatsApp.

use waxwing_domain::session::SessionStatus;
use waxwing_host::HostSettings;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_network_whose_certificate_is_not_whatsapps_is_refused() {
    let world = World::with(HostSettings::default()).await;
    let session = world.session("shop").await;
    // It is reached, more than once, and no code is shown: nothing is said to who cannot prove to be WhatsApp.
    world.sees("two tries", async || world.wire.connections() >= 2).await;
    let (view, live) =
        world.until("the reason", session, |_, live| live.status == SessionStatus::Reconnecting).await;
    assert_eq!((view.status, live.qr), (SessionStatus::Connecting, None));
    assert_eq!(live.reason.as_deref(), Some("connection_lost"));
    world.end().await;
}
