use waxwing_app::{
    commands::Outcomes,
    identities::Identities,
    keys,
    processes::{Delivery, OutboxRow},
    projections::MessageProjection,
    queries::{MessageFilter, messages},
    rows,
};
use waxwing_domain::{
    Content, Context, Jid, MessageId, Person, SessionId, Text,
    message::{ReceiptStep, ReceiveMessage, RecordReceipt},
};

use crate::world::{Pokes, World, account};

const PHONE: &str = "15550002222@s.whatsapp.net";
const LID: &str = "900000000000002@lid";

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn outcomes(world: &World) -> Outcomes {
    Outcomes { ports: world.ports.clone(), identities: Identities::new(world.engine.records()) }
}

/// A message came in from somebody with these addresses.
async fn receive(
    outcomes: &Outcomes,
    world: &World,
    session: SessionId,
    from: Person,
    id: &str,
) -> MessageId {
    let message = ReceiveMessage {
        session_id: session,
        chat: from.clone(),
        to: Person::from_jid(jid("15550001111@s.whatsapp.net")),
        from,
        from_me: false,
        whatsapp_id: id.to_owned(),
        content: Content::Text { text: Text("hello".to_owned()), link_preview: true },
        context: Context::default(),
        at: world.ports.clock.now(),
    };
    outcomes.received(account(), message).await.unwrap()
}

/// The messages that the filter on this chat finds.
async fn in_chat(world: &World, chat: &str) -> Vec<MessageId> {
    let records = world.engine.records();
    world.follow(&MessageProjection { ports: world.ports.clone(), records: records.clone() }).await;
    let filter = MessageFilter { chat: Some(jid(chat)), ..MessageFilter::default() };
    let page = messages(&*records, account(), &filter, &|_| true, None, 10).await.unwrap();
    page.messages.into_iter().map(|message| message.id).collect()
}

#[tokio::test]
async fn a_message_to_the_hidden_user_of_a_known_number_lands_in_the_chat_of_the_number() {
    let world = World::new();
    let session = world.session("shop").await;
    let friend = Person::canonical(jid(LID), Some(jid(PHONE)));
    let received = receive(&outcomes(&world), &world, session, friend.clone(), "IN1").await;
    // What comes in has a derived id, which sorts among those of one millisecond by chance.
    world.clock.advance(std::time::Duration::from_millis(1));
    let to_lid = world.send(session, LID, "to the hidden user").await;
    let to_phone = world.send(session, PHONE, "to the number").await;
    assert_eq!((&to_lid.to, &to_lid.chat), (&friend, &friend));
    assert_eq!(to_phone.chat.jid, friend.jid);
    let all = [received, to_lid.id, to_phone.id];
    assert_eq!(in_chat(&world, PHONE).await, all);
    assert_eq!(in_chat(&world, LID).await, all, "whichever address is asked for");

    // The host sends one after the other, because it sees one chat.
    let gateway = std::sync::Arc::new(Pokes::default());
    let records = world.engine.records();
    world.follow(&Delivery { ports: world.ports.clone(), records, gateway }).await;
    let rows = world.rows(keys::outbox(account(), session)).await;
    let to: Vec<Jid> = rows.iter().map(|row| rows::value::<OutboxRow>(row).unwrap().to.jid).collect();
    assert_eq!(to, [jid(PHONE), jid(PHONE)]);
}

#[tokio::test]
async fn a_hidden_user_that_nobody_told_of_keeps_its_own_chat() {
    let world = World::new();
    let (session, other) = (world.session("shop").await, world.session("other").await);
    let stranger = Person::from_jid(jid(LID));
    let outcomes = outcomes(&world);
    receive(&outcomes, &world, session, stranger.clone(), "IN1").await;
    assert_eq!(world.send(session, LID, "who are you?").await.to, stranger);
    // What one session was told says nothing to another.
    receive(&outcomes, &world, other, Person::canonical(jid(LID), Some(jid(PHONE))), "IN2").await;
    assert_eq!(world.send(session, LID, "who are you?").await.to, stranger);
    assert_eq!(world.send(other, LID, "hello").await.to.jid, jid(PHONE));
}

#[tokio::test]
async fn a_receipt_tells_who_a_hidden_user_is_and_the_newest_word_counts() {
    let world = World::new();
    let session = world.session("shop").await;
    let outcomes = outcomes(&world);
    let sent = world.send(session, PHONE, "to the number").await;
    let receipt = |phone: &str| RecordReceipt {
        step: ReceiptStep::Delivered,
        recipient: Person::canonical(jid(phone), Some(jid(LID))),
        at: world.ports.clock.now(),
    };
    outcomes.sent(account(), &sent.id.into(), world.ports.clock.now()).await.unwrap();
    outcomes.receipt(account(), session, sent.id, receipt(PHONE)).await.unwrap();
    assert_eq!(world.send(session, LID, "one").await.to.jid, jid(PHONE));

    let moved = "15550004444@s.whatsapp.net";
    outcomes.receipt(account(), session, sent.id, receipt(moved)).await.unwrap();
    assert_eq!(world.send(session, LID, "two").await.to.jid, jid(moved));

    let world = world.restarted().await;
    assert_eq!(world.send(session, LID, "three").await.to.jid, jid(moved));
}
