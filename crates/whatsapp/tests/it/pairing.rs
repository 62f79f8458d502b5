//! Linking, and what ends it.

use waxwing_domain::Network;
use waxwing_whatsapp::{
    ConnectError, ConnectionEvent, Disconnect, LogoutReason, OpenError, PermanentCause, Poison, SendError,
    SessionSettings,
};

use crate::network::{OWNER, Session, World, jid, settings, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_links_the_session_by_its_qr_code() {
    let world = World::new().await;
    let mut session = world.open(1).await;
    assert!(!session.connection.is_paired());
    assert_eq!(session.connection.connect(), Err(ConnectError::AlreadyRunning));
    assert_eq!(
        session.connection.send(world.message(OWNER, "too early")).await,
        Err(SendError::NotConnected)
    );
    let code = session
        .until("a QR code", |event| match event {
            ConnectionEvent::Qr { code, ttl } => Some((code.clone(), *ttl)),
            _ => None,
        })
        .await;
    assert!(code.1.as_secs() >= 10);
    world.phone(OWNER).scan(&code.0).await.unwrap();
    let me = session
        .until("the link", |event| match event {
            ConnectionEvent::Paired { me, .. } => Some(me.clone()),
            _ => None,
        })
        .await;
    assert_eq!(me.jid, jid(OWNER));
    assert!(me.lid.is_some(), "the network gives everybody a hidden user, too");
    assert!(session.state.is_paired());
    session.connected().await;
    assert_eq!(session.connection.me().unwrap().jid, jid(OWNER));
    assert!(session.connection.is_connected());
    assert!(session.connection.last_frame_at().is_some());
    session.connection.close().await;
    assert_eq!(session.disconnected().await, Disconnect::Permanent(PermanentCause::Closed));
    assert_eq!(session.connection.connect(), Err(ConnectError::Closed));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_phone_unlinks_the_session() {
    let world = World::new().await;
    let mut session = world.paired().await;
    world.fault("log_out").await;
    let reason = session
        .until("the logout", |event| match event {
            ConnectionEvent::LoggedOut { reason } => Some(reason.clone()),
            _ => None,
        })
        .await;
    assert_eq!(reason, LogoutReason::Unlinked);
    assert_eq!(session.disconnected().await, Disconnect::Permanent(PermanentCause::LoggedOut));

    // After erasing the state, the session shows QR codes again.
    session.state.erase().await.unwrap();
    let mut again = world.open(1).await;
    assert!(!again.connection.is_paired());
    again.pair(&world.phone(OWNER)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn we_unlink_the_session() {
    let world = World::new().await;
    let mut session = world.paired().await;
    assert_eq!(world.phone(OWNER).companions().await.unwrap().len(), 1);
    session.connection.logout().await;
    session
        .until("the logout", |event| matches!(event, ConnectionEvent::LoggedOut { .. }).then_some(()))
        .await;
    assert!(world.phone(OWNER).companions().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_socket_takes_over() {
    let world = World::new().await;
    let mut session = world.paired().await;
    world.fault("replace").await;
    session.until("the replacement", |event| matches!(event, ConnectionEvent::Replaced).then_some(())).await;
    assert_eq!(session.disconnected().await, Disconnect::Permanent(PermanentCause::Replaced));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatsapp_refuses_an_outdated_client_and_a_restricted_account() {
    let world = World::new().await;
    let mut session = world.paired().await;
    world.fault("client_outdated").await;
    assert!(session.disconnected().await.is_transient());
    session.connection.connect().unwrap();
    session
        .until("the refusal", |event| matches!(event, ConnectionEvent::ClientOutdated).then_some(()))
        .await;
    assert_eq!(session.disconnected().await, Disconnect::Permanent(PermanentCause::ClientOutdated));
    session.connection.close().await;

    let mut session = world.open(2).await;
    session.connected().await;
    world.fault("restrict").await;
    assert!(session.disconnected().await.is_transient());
    session.connection.connect().unwrap();
    session
        .until("the restriction", |event| matches!(event, ConnectionEvent::Restricted { .. }).then_some(()))
        .await;
    assert_eq!(session.disconnected().await, Disconnect::Permanent(PermanentCause::Restricted));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_lost_the_session_is_stopped() {
    let world = World::new().await;
    let mut old = world.paired().await;
    let mut new = world.open(2).await;
    new.connected().await;
    // The old host finds out when it next writes: it may be its socket that is told first.
    let _ = old.connection.send(world.message(crate::network::CONTACT, "zombie")).await;
    let stopped = |event: &ConnectionEvent| {
        let gone = matches!(event, ConnectionEvent::Replaced)
            || matches!(event, ConnectionEvent::Poisoned { reason: Poison::Fenced });
        gone.then_some(())
    };
    old.until("the end of the old host", stopped).await;
    assert!(!old.disconnected().await.is_transient());
    assert!(new.connection.is_connected());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_session_without_a_flush() {
    let world = World::new().await;
    let mut session = world.paired().await;
    world.records.set_broken(true);
    let _ = session.connection.send(world.message(crate::network::CONTACT, "on a full disk")).await;
    session
        .until("the poison", |event| matches!(event, ConnectionEvent::Poisoned { .. }).then_some(()))
        .await;
    assert_eq!(session.connection.connect(), Err(ConnectError::Closed));

    world.records.set_broken(false);
    let mut session = world.open(2).await;
    session.connected().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_told_and_nothing_is_dropped_silently() {
    let world = World::new().await;
    drop_gracefully(world.paired().await).await;
    let settings = SessionSettings { event_queue_len: 16, ..settings() };
    let mut session = world.open_with(2, settings, Default::default()).await;
    session.connected().await;
    // Nobody reads, and every message brings an ack and a receipt.
    within("a full queue", async {
        while session.connection.is_connected() {
            let _ = session.connection.send(world.message(crate::network::CONTACT, "more")).await;
        }
    })
    .await;
    let limit = session
        .until("the overflow", |event| match event {
            ConnectionEvent::Overflow { limit } => Some(*limit),
            _ => None,
        })
        .await;
    assert_eq!(limit, 16);
    assert_eq!(session.disconnected().await, Disconnect::Permanent(PermanentCause::Overflow));
}

async fn drop_gracefully(session: Session) {
    session.connection.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_the_other_network_is_refused() {
    let world = World::new().await;
    let settings = SessionSettings::new(Network::Whatsapp, "live");
    let state = world.state(1).await;
    let opened =
        world.connector.open(state, settings, std::sync::Arc::<crate::network::Sink>::default()).await;
    assert!(matches!(opened, Err(OpenError::WrongNetwork { .. })));
}
