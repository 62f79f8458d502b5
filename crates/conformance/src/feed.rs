use std::{collections::HashMap, time::Duration};

use futures::{future::join_all, join};
use waxwing_app::ports::{Commit, Feed, FeedItem, Journal, StreamName};

use crate::{
    TestClock,
    samples::{account, commit, done, fill},
};

/// How long a signal may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);
const PAGE: usize = 7;

/// Checks [`Feed`] on the commits of `journal`.
pub async fn feed(feed: &dyn Feed, journal: &dyn Journal, clock: &TestClock) {
    brings_every_commit_in_order(feed, journal, clock).await;
    brings_again_what_was_not_acknowledged(feed, journal, clock).await;
    never_moves_a_checkpoint_back(feed, journal, clock).await;
    keeps_consumers_apart(feed, journal, clock).await;
    filters_by_kind(feed, journal, clock).await;
    says_when_something_changed(feed, journal, clock).await;
    skips_nothing_while_others_append(feed, journal, clock).await;
}

async fn brings_every_commit_in_order(feed: &dyn Feed, journal: &dyn Journal, clock: &TestClock) {
    let account = account("feed all");
    drain(feed, "feed-all", &[]).await;
    let streams = ["one", "two", "three"].map(|id| StreamName::new("feed-all", id));
    let mut written = Vec::new();
    for version in 1..=5 {
        for stream in &streams {
            written.extend(fill(journal, account, stream, version..=version, clock).await);
        }
    }
    let page = next(feed, "feed-all", &[], PAGE).await;
    assert!(
        page.is_sorted_by(|a, b| a.order < b.order),
        "Feed: items come in the order of their `order`, as text"
    );
    let items = drain(feed, "feed-all", &[]).await;
    assert_eq!(
        items.len(),
        written.len(),
        "Feed: every commit is brought once to a consumer that acknowledges"
    );
    for stream in &streams {
        let of = |commits: &mut dyn Iterator<Item = &Commit>| -> Vec<Commit> {
            commits.filter(|commit| commit.stream == *stream).cloned().collect()
        };
        let brought = of(&mut items.iter().map(|item| &item.commit));
        assert_eq!(
            brought,
            of(&mut written.iter()),
            "Feed: a stream's commits come as they were written, in order"
        );
    }
}

async fn brings_again_what_was_not_acknowledged(feed: &dyn Feed, journal: &dyn Journal, clock: &TestClock) {
    let account = account("feed again");
    drain(feed, "feed-again", &[]).await;
    fill(journal, account, &StreamName::new("feed-again", "a"), 1..=6, clock).await;
    let first = next(feed, "feed-again", &[], 4).await;
    assert_eq!(first.len(), 4, "Feed: `next` brings as many as the limit where there are more");
    assert_eq!(next(feed, "feed-again", &[], 4).await, first, "Feed: what was not acknowledged comes again");
    feed.acknowledge("feed-again", &first[1].order).await.expect("Feed: an item can be acknowledged");
    let second = next(feed, "feed-again", &[], 4).await;
    assert_eq!(second[..2], first[2..], "Feed: `next` starts right behind what was acknowledged");
    assert_eq!(second.len(), 4, "Feed: `next` starts right behind what was acknowledged");
    feed.acknowledge("feed-again", &second[3].order).await.expect("Feed: an item can be acknowledged");
    assert_eq!(next(feed, "feed-again", &[], 4).await, [], "Feed: what was acknowledged does not come again");
}

async fn never_moves_a_checkpoint_back(feed: &dyn Feed, journal: &dyn Journal, clock: &TestClock) {
    let account = account("feed back");
    drain(feed, "feed-back", &[]).await;
    fill(journal, account, &StreamName::new("feed-back", "a"), 1..=3, clock).await;
    let items = next(feed, "feed-back", &[], 10).await;
    for item in items.iter().rev() {
        feed.acknowledge("feed-back", &item.order).await.expect("Feed: a late acknowledgement is no error");
        assert_eq!(next(feed, "feed-back", &[], 10).await, [], "Feed: a checkpoint never moves backwards");
    }
}

async fn keeps_consumers_apart(feed: &dyn Feed, journal: &dyn Journal, clock: &TestClock) {
    let account = account("feed consumers");
    drain(feed, "feed-left", &[]).await;
    drain(feed, "feed-right", &[]).await;
    fill(journal, account, &StreamName::new("feed-consumers", "a"), 1..=3, clock).await;
    assert_eq!(drain(feed, "feed-left", &[]).await.len(), 3, "Feed: each consumer gets every commit");
    assert_eq!(drain(feed, "feed-right", &[]).await.len(), 3, "Feed: a checkpoint is its consumer's own");
    let fresh = next(feed, "feed-never-seen", &[], 1).await;
    assert_eq!(fresh.len(), 1, "Feed: a new consumer starts at the beginning");
}

async fn filters_by_kind(feed: &dyn Feed, journal: &dyn Journal, clock: &TestClock) {
    let account = account("feed kinds");
    let kinds = ["feed-red", "feed-green", "feed-blue"];
    for version in 1..=4 {
        for kind in kinds {
            fill(journal, account, &StreamName::new(kind, "a"), version..=version, clock).await;
        }
    }
    let of_kinds = |items: &[FeedItem]| -> Vec<(String, u64)> {
        items.iter().map(|item| (item.commit.stream.kind().to_owned(), item.commit.version)).collect()
    };
    let one = drain(feed, "feed-one-kind", &["feed-green"]).await;
    let expected: Vec<_> = (1..=4).map(|version| ("feed-green".to_owned(), version)).collect();
    assert_eq!(of_kinds(&one), expected, "Feed: with a kind, only its streams come");
    let two = drain(feed, "feed-two-kinds", &["feed-red", "feed-blue"]).await;
    let expected: Vec<_> = (1..=4)
        .flat_map(|version| [("feed-red".to_owned(), version), ("feed-blue".to_owned(), version)])
        .collect();
    assert_eq!(of_kinds(&two), expected, "Feed: with several kinds, their streams come in one order");
    let none = next(feed, "feed-no-kind", &["feed-"], 10).await;
    assert_eq!(none, [], "Feed: a kind is compared whole");
}

async fn says_when_something_changed(feed: &dyn Feed, journal: &dyn Journal, clock: &TestClock) {
    let account = account("feed changed");
    let stream = StreamName::new("feed-changed", "a");
    for version in 1..=6 {
        drain(feed, "feed-changed", &[]).await;
        let changed = tokio::time::timeout(PATIENCE, feed.changed("feed-changed"));
        let heard = if version % 2 == 0 {
            fill(journal, account, &stream, version..=version, clock).await;
            changed.await
        } else {
            join!(changed, fill(journal, account, &stream, version..=version, clock)).0
        };
        heard.expect("Feed: `changed` returns after an append since the last `next`");
    }
    // The last commit was not looked at, so waiting has no reason, however often one asks.
    next(feed, "feed-changed-page", &[], 1).await;
    let more = tokio::time::timeout(PATIENCE, feed.changed("feed-changed-page")).await;
    more.expect("Feed: `changed` returns where a full page left commits unread");
}

async fn skips_nothing_while_others_append(feed: &dyn Feed, journal: &dyn Journal, clock: &TestClock) {
    const WRITERS: u64 = 8;
    const COMMITS: u64 = 25;
    let account = account("feed race");
    let writers = join_all((0..WRITERS).map(|writer| async move {
        let stream = StreamName::new("feed-race", writer);
        for version in 1..=COMMITS {
            let appended = journal.append(commit(account, &stream, version, clock), vec![]).await;
            done(appended, "Feed: appends go on while a consumer reads");
        }
    }));
    let reader = async {
        let mut heads: HashMap<String, u64> = HashMap::new();
        let mut left = WRITERS * COMMITS;
        while left > 0 {
            let items = next(feed, "feed-race", &["feed-race"], PAGE).await;
            for item in &items {
                let head = heads.entry(item.commit.stream.0.clone()).or_default();
                assert_eq!(
                    item.commit.version,
                    *head + 1,
                    "Feed: while others append, no commit is skipped or comes out of order"
                );
                *head += 1;
                left -= 1;
            }
            match items.last() {
                Some(last) => feed
                    .acknowledge("feed-race", &last.order)
                    .await
                    .expect("Feed: an item can be acknowledged"),
                None => {
                    let changed = tokio::time::timeout(PATIENCE, feed.changed("feed-race")).await;
                    changed.expect("Feed: while others append, no commit is skipped");
                },
            }
        }
    };
    join!(writers, reader);
}

async fn next(feed: &dyn Feed, consumer: &str, kinds: &[&str], limit: usize) -> Vec<FeedItem> {
    let items = feed.next(consumer, kinds, limit).await.expect("Feed: it can be read");
    assert!(items.len() <= limit, "Feed: `next` brings no more than the limit");
    items
}

/// Everything that is there, acknowledged.
async fn drain(feed: &dyn Feed, consumer: &str, kinds: &[&str]) -> Vec<FeedItem> {
    let mut all = Vec::new();
    loop {
        let items = next(feed, consumer, kinds, PAGE).await;
        let Some(last) = items.last() else { return all };
        feed.acknowledge(consumer, &last.order).await.expect("Feed: an item can be acknowledged");
        let again = all.last().is_some_and(|seen: &FeedItem| items[0].order <= seen.order);
        assert!(!again, "Feed: what was acknowledged does not come again");
        all.extend(items);
    }
}
