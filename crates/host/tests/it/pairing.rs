use std::time::Duration;

use waxwing_domain::session::SessionStatus;
use waxwing_host::HostSettings;
use waxwing_sandbox::FaultRequest;

use crate::world::World;

const OWNER: &str = "15550001111";
/// For how long each of the codes is shown, as WhatsApp has it.
const SHOWN: [Duration; 6] = [
    Duration::from_secs(60),
    Duration::from_secs(20),
    Duration::from_secs(20),
    Duration::from_secs(20),
    Duration::from_secs(20),
    Duration::from_secs(20),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_codes_nobody_scans_stops_and_shows_others_after_a_start() {
    let world = World::new().await;
    world.network.create_phone(OWNER, None).await.unwrap();
    let phone = world.network.phone(OWNER).unwrap();
    let session = world.session("shop").await;
    let mut shown = Vec::new();
    for time in SHOWN {
        shown.push(world.code(session, &shown).await);
        world.client_clock.advance(time);
    }
    let (view, live) = world
        .until("the end of the codes", session, |view, live| {
            view.status == SessionStatus::Stopped && live.status == SessionStatus::Stopped
        })
        .await;
    assert_eq!(view.reason.as_deref(), Some("qr_exhausted"));
    assert_eq!((live.reason.as_deref(), live.qr), (Some("qr_exhausted"), None));
    for code in &shown {
        assert_eq!(phone.scan(code).await.unwrap_err().code, "qr_expired");
    }

    world.start(session).await;
    let fresh = world.code(session, &shown).await;
    let (view, live) = world.until("pairing", session, |_, live| live.status == SessionStatus::Pairing).await;
    assert_eq!((view.status, view.reason, live.reason), (SessionStatus::Connecting, None, None));
    phone.scan(&fresh).await.unwrap();
    world.until("the link", session, |view, _| view.me.is_some()).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_typed_in_links_a_session_and_replaces_the_one_before() {
    let world = World::with(HostSettings::default()).await;
    world.network.create_phone(OWNER, None).await.unwrap();
    let phone = world.network.phone(OWNER).unwrap();
    let session = world.session("shop").await;
    // Just started: whoever asks waits until it can have a code.
    let first = world.pairing_code(session, OWNER).await;
    let code = world.pairing_code(session, OWNER).await;
    assert_ne!(first, code);
    phone.enter_code(&code).await.unwrap();
    let (view, _) = world
        .until("the link", session, |view, live| {
            view.status == SessionStatus::Connected && live.status == SessionStatus::Connected
        })
        .await;
    assert_eq!(view.me.unwrap().phone.unwrap().digits(), OWNER);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_wants_a_passkey_is_said_to_and_the_next_code_links() {
    let world = World::new().await;
    world.network.create_phone(OWNER, None).await.unwrap();
    let phone = world.network.phone(OWNER).unwrap();
    let session = world.session("shop").await;
    let first = world.code(session, &[]).await;
    let passkey = FaultRequest {
        kind: "passkey".to_owned(),
        number: Some(OWNER.to_owned()),
        count: Some(1),
        ..FaultRequest::default()
    };
    world.network.inject(passkey).await.unwrap();
    phone.scan(&first).await.unwrap();
    let (view, live) =
        world.until("the wish", session, |_, live| live.status == SessionStatus::PasskeyRequired).await;
    assert_eq!((view.me, live.reason.as_deref()), (None, Some("passkey_not_supported")));

    world.client_clock.advance(SHOWN[0]);
    let next = world.code(session, &[first]).await;
    let (_, live) = world.until("pairing", session, |_, live| live.status == SessionStatus::Pairing).await;
    assert_eq!(live.reason, None);
    phone.scan(&next).await.unwrap();
    world.until("the link", session, |view, _| view.me.is_some()).await;
    world.end().await;
}
