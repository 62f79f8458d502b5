//! Walks through the journal, part by part.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use waxwing_app::ports::{Clock as _, Commit, PortError, StreamName};
use waxwing_aws::{AwsEngine, JournalScan, StreamFilter};
use waxwing_conformance::TestClock;
use waxwing_domain::AccountId;

use crate::{
    fixture::{Fixture, account, commit, done},
    on_both,
};

on_both!(
    every_part_of_every_cut_brings_its_streams_once,
    a_scan_goes_on_in_another_process,
    only_streams_written_in_a_time_are_named,
    what_is_no_position_is_refused,
);

const STREAMS: usize = 40;

fn at(hours: u64) -> Timestamp {
    TestClock::default().ahead(Duration::from_secs(hours * 3_600))
}

/// Streams of one to three commits, each an hour after the one before.
async fn fill(fixture: &Fixture) -> Vec<(AccountId, StreamName)> {
    let (journal, other) = (fixture.engine.journal(), AccountId::derived(1, &[b"other"]));
    let mut streams = Vec::new();
    for number in 0..STREAMS {
        let account = if number % 5 == 0 { other } else { account() };
        for version in 1..=1 + number as u64 % 3 {
            let one = commit(&format!("{number:02}"), version, vec![7; 200]);
            let one = Commit { account, at: at(version), ..one };
            streams.push((account, one.stream.clone()));
            done(journal.append(one, vec![]).await.unwrap());
        }
    }
    streams.dedup();
    streams.sort();
    streams
}

/// How often each stream was named, by whichever engine the turn gives.
async fn scan(
    engines: &[&AwsEngine],
    segments: u32,
    wanted: StreamFilter,
    page_limit: Option<u32>,
) -> BTreeMap<(AccountId, StreamName), usize> {
    let (mut named, mut turn) = (BTreeMap::new(), 0);
    for segment in 0..segments {
        let scan = JournalScan { segment, segments, wanted, page_limit };
        let mut next: Option<String> = None;
        loop {
            let page = engines[turn % engines.len()].scan_journal(&scan, next.as_deref()).await.unwrap();
            turn += 1;
            for stream in page.streams {
                *named.entry(stream).or_default() += 1;
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
    }
    named
}

async fn every_part_of_every_cut_brings_its_streams_once(fixture: Fixture) {
    let streams = fill(&fixture).await;
    for (segments, page_limit) in [(1, None), (1, Some(1)), (3, Some(7)), (16, Some(2))] {
        let named = scan(&[&fixture.engine], segments, StreamFilter::All, page_limit).await;
        assert!(named.keys().eq(&streams), "{segments} parts by {page_limit:?}: {named:?}");
        assert!(named.values().all(|times| *times == 1), "{segments} parts by {page_limit:?}: {named:?}");
    }
    let calls = fixture.network.calls();
    assert!(calls.iter().filter(|call| *call == "Scan").count() > STREAMS, "pages are as small as asked for");
}

async fn a_scan_goes_on_in_another_process(fixture: Fixture) {
    let streams = fill(&fixture).await;
    let others = [fixture.another_engine().await, fixture.another_engine().await];
    let engines = [&fixture.engine, &others[0], &others[1]];
    let named = scan(&engines, 2, StreamFilter::All, Some(3)).await;
    assert!(named.keys().eq(&streams), "{named:?}");
    assert!(named.values().all(|times| *times == 1), "{named:?}");
}

async fn only_streams_written_in_a_time_are_named(fixture: Fixture) {
    let streams = fill(&fixture).await;
    let last = |number: usize| 1 + number as u64 % 3;
    for (since, until) in [(1, 1), (2, 2), (2, 3), (3, 3), (4, 9)] {
        let wanted = StreamFilter::Written { since: at(since), until: at(until) };
        let named = scan(&[&fixture.engine], 3, wanted, Some(5)).await;
        let is_wanted = |(_, stream): &&(AccountId, StreamName)| {
            let number = stream.id().parse().unwrap();
            since <= last(number)
        };
        let expected: Vec<_> = streams.iter().filter(is_wanted).collect();
        assert!(named.keys().eq(expected), "{since} to {until}: {named:?}");
    }
}

async fn what_is_no_position_is_refused(fixture: Fixture) {
    let scan = JournalScan { segment: 0, segments: 1, wanted: StreamFilter::All, page_limit: None };
    for position in ["", "1", "x/y"] {
        let refused = fixture.engine.scan_journal(&scan, Some(position)).await;
        assert!(matches!(refused, Err(PortError::Corrupt(_))), "{position:?}: {refused:?}");
    }
    assert!(TestClock::default().now() < at(1));
}
