use std::collections::BTreeSet;

use waxwing_app::{
    projections::MessageProjection,
    queries::{MessageFilter, MessagePage, messages},
    search::Terms,
    views::MessageView,
};
use waxwing_domain::message::MessageStatus;

use crate::world::{World, account};

const SESSIONS: usize = 7;
const EACH: usize = 60;
const PAGE: usize = 25;

/// Every page of a list.
async fn pages(world: &World, filter: &MessageFilter) -> Vec<MessagePage> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let records = world.engine.records();
        let page = messages(&*records, account(), filter, &|_| true, cursor, PAGE).await.unwrap();
        cursor = page.next.clone();
        all.push(page);
        if cursor.is_none() {
            return all;
        }
        assert!(all.len() < 1_000, "the pages do not end");
    }
}

fn ids(pages: &[MessagePage]) -> Vec<String> {
    pages.iter().flat_map(|page| &page.messages).map(MessageView::position).collect()
}

#[tokio::test]
async fn a_list_over_many_sessions_has_each_message_once_and_in_order() {
    let world = World::new();
    let mut sessions = Vec::new();
    for number in 0..SESSIONS {
        sessions.push(world.session(&format!("shop {number}")).await);
    }
    for number in 0..EACH {
        for (index, session) in sessions.iter().enumerate() {
            // Some write much, some little: their lists end at different places.
            if number % (index + 1) == 0 {
                world.send(*session, "15550002222@s.whatsapp.net", &format!("{number}")).await;
            }
        }
    }
    world.follow(&MessageProjection { ports: world.ports.clone(), records: world.engine.records() }).await;
    let sent: usize = (1..=SESSIONS).map(|index| EACH.div_ceil(index)).sum();
    let all = pages(&world, &MessageFilter::default()).await;
    let listed = ids(&all);
    assert_eq!((listed.len(), listed.iter().collect::<BTreeSet<_>>().len()), (sent, sent));
    assert!(listed.is_sorted());
    assert!(all.iter().all(|page| page.messages.len() <= PAGE));

    let mut backwards =
        ids(&pages(&world, &MessageFilter { descending: true, ..MessageFilter::default() }).await);
    backwards.reverse();
    assert_eq!(backwards, listed);

    let seven = MessageFilter { text: Some(Terms::parse("7").unwrap()), ..MessageFilter::default() };
    let (found, expected) = (ids(&pages(&world, &seven).await), [7]);
    let expected = expected.iter().map(|number| (1..=SESSIONS).filter(|index| number % index == 0).count());
    assert_eq!(found.len(), expected.sum::<usize>());
    let nothing = MessageFilter { status: Some(MessageStatus::Read), ..MessageFilter::default() };
    assert!(ids(&pages(&world, &nothing).await).is_empty());
}
