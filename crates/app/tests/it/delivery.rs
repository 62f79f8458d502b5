use std::{sync::Arc, time::Duration};

use waxwing_app::{
    commands::Outcomes,
    feed::Consumer as _,
    identities::Identities,
    keys,
    ports::{Clock as _, Guard, Write},
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
    for refused in [0, 20, 77] {
        let key = keys::outbox_row(account(), one, &items[refused].order);
        *records.refused.lock().unwrap() = Some(key);
        assert!(delivery.handle(&items).await.unwrap_err().is_transient());
        let there = outbox(&world, one).await;
        assert_eq!(there, sent[..refused]);
        assert_eq!(outbox(&world, other).await, sent_by_other, "another session goes on");
    }
    assert!(!pokes.0.lock().unwrap().contains(&one));

    *records.refused.lock().unwrap() = None;
    delivery.handle(&items).await.unwrap();
    assert_eq!(outbox(&world, one).await, sent);
    assert_eq!(outbox(&world, other).await, sent_by_other);
    assert!(pokes.0.lock().unwrap().contains(&one));
}

#[tokio::test]
async fn an_old_commit_whose_message_is_no_longer_queued_does_not_come_back() {
    let world = World::new();
    let delivery = Delivery {
        ports: world.ports.clone(),
        records: world.engine.records(),
        gateway: Arc::new(Pokes::default()),
    };
    let session = world.session("one").await;
    let (done, queued) = (world.send(session, CHAT, "done").await, world.send(session, CHAT, "queued").await);
    let items = world.items(&delivery).await;
    delivery.handle(&items).await.unwrap();
    let outcomes =
        Outcomes { ports: world.ports.clone(), identities: Identities::new(world.engine.records()) };
    outcomes.sent(account(), &done.id.into(), world.clock.now()).await.unwrap();

    let forget = async || {
        let open = world.rows(keys::outbox(account(), session)).await.into_iter();
        let gone = open.map(|row| Write::Delete(row.key, Guard::Always)).collect();
        world.engine.records().write_each(gone).await.unwrap();
    };
    forget().await;
    // A young commit is not looked after here: the host does, before it sends.
    delivery.handle(&items).await.unwrap();
    assert_eq!(outbox(&world, session).await, [done.whatsapp_id.clone(), queued.whatsapp_id.clone()]);
    forget().await;
    world.clock.advance(Duration::from_secs(24 * 3_600 + 1));
    delivery.handle(&items).await.unwrap();
    assert_eq!(outbox(&world, session).await, std::slice::from_ref(&queued.whatsapp_id));
}
