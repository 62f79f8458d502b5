//! Messages both ways.

use waxwing_sandbox::BehaviourChange;
use waxwing_whatsapp::{ConnectionEvent, ReceiptStep};

use crate::network::{CONTACT, OWNER, World, content, jid, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_text_goes_out_and_its_steps_come_back() {
    let world = World::new().await;
    let read_at_once = BehaviourChange { read_after_ms: Some(Some(0)), ..BehaviourChange::default() };
    world.phone(CONTACT).change_behaviour(read_at_once).await.unwrap();
    let mut session = world.paired().await;
    let message = world.message(CONTACT, "hello");
    session.connection.send(message.clone()).await.unwrap();

    let (mut acked, mut steps) = (false, Vec::new());
    session
        .until("ack, delivery and reading", |event| {
            match event {
                ConnectionEvent::ServerAck { whatsapp_id, error: None, .. } => {
                    acked |= *whatsapp_id == message.whatsapp_id;
                },
                ConnectionEvent::Receipt { whatsapp_ids, chat, from, step, .. } => {
                    assert_eq!(whatsapp_ids, std::slice::from_ref(&message.whatsapp_id));
                    assert_eq!((&chat.jid, &from.jid), (&jid(CONTACT), &jid(CONTACT)));
                    steps.push(*step);
                },
                _ => {},
            }
            (acked && steps.contains(&ReceiptStep::Read)).then_some(())
        })
        .await;
    assert!(steps.contains(&ReceiptStep::Delivered));
    assert_eq!(world.inbox(CONTACT, 1).await, [("hello".to_owned(), 1)]);
    let ledger = world.network.ledger().await.unwrap();
    assert!(ledger.iter().any(|entry| entry.whatsapp_id == message.whatsapp_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_send_is_one_message_for_the_recipient() {
    let world = World::new().await;
    let mut session = world.paired().await;
    let message = world.message(CONTACT, "once");
    for _ in 0..3 {
        session.connection.send(message.clone()).await.unwrap();
        assert_eq!(session.ack(&message.whatsapp_id).await, None);
    }
    let marker = world.message(CONTACT, "marker");
    session.connection.send(marker).await.unwrap();
    let inbox = world.inbox(CONTACT, 2).await;
    let texts: Vec<&str> = inbox.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["once", "marker"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_come_in_through_the_sink() {
    let world = World::new().await;
    let mut session = world.paired().await;
    for number in 0..5 {
        world.phone(CONTACT).send_text(OWNER, &format!("text {number}")).await.unwrap();
    }
    let committed = session.sink.has(5).await;
    assert_eq!(session.sink.texts(), ["text 0", "text 1", "text 2", "text 3", "text 4"]);
    let first = &committed[0];
    assert_eq!(first.chat.jid, jid(CONTACT));
    assert_eq!(first.from.jid, jid(CONTACT));
    assert_eq!(first.push_name.as_deref(), Some("Contact"));
    assert!(!first.from_me);
    assert_eq!(*content(first), text("text 0"));
    // And an answer goes back on the ratchet that they began.
    let answer = world.message(CONTACT, "answer");
    session.connection.send(answer.clone()).await.unwrap();
    assert_eq!(session.ack(&answer.whatsapp_id).await, None);
    assert_eq!(world.inbox(CONTACT, 1).await, [("answer".to_owned(), 1)]);
    session.connection.mark_read(&jid(CONTACT), None, &[&first.whatsapp_id]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_owners_phone_sends_comes_in_as_its_own() {
    let world = World::new().await;
    let session = world.paired().await;
    let sent = world.phone(OWNER).send_text(CONTACT, "from my phone").await.unwrap();
    let committed = session.sink.has(1).await;
    assert_eq!(committed[0].whatsapp_id, sent.whatsapp_id);
    assert!(committed[0].from_me);
    assert_eq!(committed[0].chat.jid, jid(CONTACT));
    assert_eq!(committed[0].from.jid, jid(OWNER));
    assert_eq!(*content(&committed[0]), text("from my phone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_is_tried_again_and_happens_once() {
    let world = World::new().await;
    let session = world.paired().await;
    session.sink.fail(3);
    world.phone(CONTACT).send_text(OWNER, "patience").await.unwrap();
    session.sink.has(1).await;
    world.phone(CONTACT).send_text(OWNER, "next").await.unwrap();
    session.sink.has(2).await;
    assert_eq!(session.sink.texts(), ["patience", "next"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_recipient_cannot_read_is_sent_again_under_its_id() {
    let world = World::new().await;
    let mut session = world.paired().await;
    // A ratchet that both sides know, or every message would carry what begins one.
    world.phone(CONTACT).send_text(OWNER, "hello").await.unwrap();
    session.sink.has(1).await;
    let first = world.message(CONTACT, "read at once");
    session.connection.send(first.clone()).await.unwrap();
    assert_eq!(session.ack(&first.whatsapp_id).await, None);
    world.inbox(CONTACT, 1).await;

    // The contact set the phone up anew: it asks for what it cannot read, and says under which keys.
    world.phone(CONTACT).lose_ratchets().await.unwrap();
    let message = world.message(CONTACT, "read at the second time");
    session.connection.send(message.clone()).await.unwrap();
    for _ in ["the message", "the message again"] {
        assert_eq!(session.ack(&message.whatsapp_id).await, None);
    }
    let inbox = world.inbox(CONTACT, 2).await;
    assert_eq!(inbox[1], ("read at the second time".to_owned(), 1));
    let ledger = world.network.ledger().await.unwrap();
    let entry = ledger.iter().find(|entry| entry.whatsapp_id == message.whatsapp_id).unwrap();
    // What the recipient asked for does not count as another message.
    assert_eq!((entry.accepted, entry.copies), (1, 1));

    // And the new ratchet is the one in use from here on, both ways.
    let next = world.message(CONTACT, "read at once again");
    session.connection.send(next.clone()).await.unwrap();
    assert_eq!(world.inbox(CONTACT, 3).await[2], ("read at once again".to_owned(), 1));
    world.phone(CONTACT).send_text(OWNER, "me, too").await.unwrap();
    session.sink.has(2).await;
    assert_eq!(session.sink.texts(), ["hello", "me, too"]);
}
