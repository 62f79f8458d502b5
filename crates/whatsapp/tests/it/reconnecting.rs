//! Lost sockets and killed processes.

use std::time::Duration;

use waxwing_whatsapp::{ConnectionEvent, SessionSettings};

use crate::network::{CONTACT, OWNER, World, content, jid, settings};

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_socket_ends_the_run_and_the_caller_connects_again() {
    let world = World::new().await;
    let mut session = world.paired().await;
    for round in 0..3 {
        world.fault("drop_connections").await;
        assert!(session.disconnected().await.is_transient());
        assert!(!session.connection.is_connected());
        // What comes while the session is away waits on the server.
        world.phone(CONTACT).send_text(OWNER, &format!("while away {round}")).await.unwrap();
        session.connection.connect().unwrap();
        session.connected().await;
        session.sink.has(round + 1).await;
        let message = world.message(CONTACT, &format!("back {round}"));
        session.connection.send(message.clone()).await.unwrap();
        assert_eq!(session.ack(&message.whatsapp_id).await, None);
    }
    assert_eq!(session.sink.texts(), ["while away 0", "while away 1", "while away 2"]);
    assert_eq!(world.inbox(CONTACT, 3).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_goes_on_without_pairing() {
    let world = World::new().await;
    let mut session = world.paired().await;
    for epoch in 2..5 {
        world.phone(CONTACT).send_text(OWNER, &format!("in {epoch}")).await.unwrap();
        session.sink.has(1).await;
        let message = world.message(CONTACT, &format!("out {epoch}"));
        session.connection.send(message.clone()).await.unwrap();
        assert_eq!(session.ack(&message.whatsapp_id).await, None);
        // No goodbye: what the engine has is what the next process gets.
        session.connection.abort();
        world.phone(CONTACT).send_text(OWNER, &format!("away {epoch}")).await.unwrap();
        let mut next = world.open(epoch).await;
        next.until("a login, and no QR code", |event| match event {
            ConnectionEvent::Connected { me } => Some(me.clone()),
            ConnectionEvent::Qr { .. } => panic!("the session has to be linked again"),
            _ => None,
        })
        .await;
        let away = next.sink.has(1).await;
        assert!(away.iter().any(|message| content(message).text() == Some(&format!("away {epoch}"))));
        let message = world.message(CONTACT, &format!("after {epoch}"));
        next.connection.send(message.clone()).await.unwrap();
        assert_eq!(next.ack(&message.whatsapp_id).await, None);
        session = next;
        world.phone(CONTACT).send_text(OWNER, &format!("more {epoch}")).await.unwrap();
        session.sink.has(2).await;
    }
    let inbox = world.inbox(CONTACT, 6).await;
    assert!(inbox.iter().all(|(_, copies)| *copies == 1));
    assert_eq!(inbox.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_decrypted_and_not_committed_survives_a_kill() {
    let world = World::new().await;
    let session = world.paired().await;
    session.sink.hang();
    let sent = world.phone(CONTACT).send_text(OWNER, "in the gap").await.unwrap();
    session.sink.was_tried(1).await;
    session.connection.abort();
    drop(session);

    let next = world.open(2).await;
    let committed = next.sink.has(1).await;
    assert_eq!(committed[0].whatsapp_id, sent.whatsapp_id);
    world.phone(CONTACT).send_text(OWNER, "after the gap").await.unwrap();
    next.sink.has(2).await;
    assert_eq!(next.sink.texts(), ["in the gap", "after the gap"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_session_opens_again_where_it_stopped() {
    let world = World::new().await;
    let mut session = world.paired().await;
    let message = world.message(CONTACT, "before");
    session.connection.send(message.clone()).await.unwrap();
    assert_eq!(session.ack(&message.whatsapp_id).await, None);
    session.connection.close().await;

    let mut session = world.open(1).await;
    session.connected().await;
    assert_eq!(session.connection.me().unwrap().jid, jid(OWNER));
    let message = world.message(CONTACT, "after");
    session.connection.send(message.clone()).await.unwrap();
    assert_eq!(session.ack(&message.whatsapp_id).await, None);
    assert_eq!(world.inbox(CONTACT, 2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_stays_down_drops_the_connection_and_gets_everything_once_later() {
    let world = World::new().await;
    world.paired().await.connection.close().await;
    let settings = SessionSettings { commit_budget: Duration::from_millis(500), ..settings() };
    let mut session = world.open_with(2, settings, Default::default()).await;
    session.connected().await;
    session.sink.hang();
    for number in 0..3 {
        world.phone(CONTACT).send_text(OWNER, &format!("text {number}")).await.unwrap();
    }
    assert!(session.disconnected().await.is_transient());
    assert!(session.sink.texts().is_empty());

    session.sink.go_on();
    session.connection.connect().unwrap();
    session.connected().await;
    session.sink.has(3).await;
    world.phone(CONTACT).send_text(OWNER, "later").await.unwrap();
    session.sink.has(4).await;
    assert_eq!(session.sink.texts(), ["text 0", "text 1", "text 2", "later"]);
}
