use std::sync::Arc;

use waxwing_app::{
    feed::Consumer as _,
    keys,
    ports::{Guard, Write},
    processes::{Delivery, OutboxRow},
    rows,
};
use waxwing_domain::SessionId;

use crate::world::{Pokes, Refusing, World, account};

const CHAT: &str = "15550002222@s.whatsapp.net";

/// The WhatsApp ids in the session's outbox, in the order in which a host would send them.
async fn outbox(world: &World, session: SessionId) -> Vec<String> {
    let rows = world.rows(keys::outbox(account(), session)).await;
    rows.iter().map(|row| rows::value::<OutboxRow>(row).unwrap().whatsapp_id).collect()
}

#[tokio::test]
async fn nothing_later_is_in_the_outbox_while_an_earlier_message_is_not() {
    let world = World::new();
    let records = Refusing::new(world.engine.records());
    let pokes = Arc::new(Pokes::default());
    let delivery = Delivery { ports: world.ports.clone(), records: records.clone(), gateway: pokes.clone() };
    let (one, other) = (world.session("one").await, world.session("other").await);
    let (mut sent, mut sent_by_other) = (Vec::new(), Vec::new());
    for number in 0..100 {
        sent.push(world.send(one, CHAT, &format!("{number}")).await.whatsapp_id);
    }
    for number in 0..10 {
        sent_by_other.push(world.send(other, CHAT, &format!("{number}")).await.whatsapp_id);
    }
    let items = world.items(&delivery).await;
    assert_eq!(items.len(), 110);

    // Whichever cannot be written, what is in the outbox is a beginning of what was sent.
    for (tries, refused) in [0, 20, 77, 54].into_iter().enumerate() {
        let key = keys::outbox_row(account(), one, &items[refused].order);
        *records.refused.lock().unwrap() = Some(key);
        assert!(delivery.handle(&items).await.unwrap_err().is_transient());
        let there = outbox(&world, one).await;
        assert_eq!(there, sent[..there.len()]);
        assert!(tries == 3 || there.len() <= refused, "{} of {refused}", there.len());
        assert_eq!(outbox(&world, other).await, sent_by_other, "another session goes on");
    }
    assert!(!outbox(&world, one).await.is_empty(), "what comes before it is there");
    assert!(!pokes.0.lock().unwrap().contains(&one));

    // What was acknowledged meanwhile does not come back with the repetition.
    let first = world.rows(keys::outbox(account(), one)).await.remove(0);
    let gone = vec![Write::Delete(first.key, Guard::Always)];
    world.engine.records().write_each(gone).await.unwrap();
    *records.refused.lock().unwrap() = None;
    delivery.handle(&items).await.unwrap();
    assert_eq!(outbox(&world, one).await, sent[1..]);
    assert_eq!(outbox(&world, other).await, sent_by_other);
    assert!(pokes.0.lock().unwrap().contains(&one));
}
