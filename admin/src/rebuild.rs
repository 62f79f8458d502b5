//! Read models from the journal.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use waxwing_app::{
    execute::CommandPorts,
    feed,
    ports::{PortError, Search, StreamName},
    projections::{Rebuild, Rebuilt, SearchProjection},
};
use waxwing_aws::{AwsEngine, JournalScan, StreamFilter};
use waxwing_domain::AccountId;

use crate::{
    OperatorError,
    checkpoint::{Checkpoint, RUN},
    patience::patiently,
    progress::{Report, Standing},
};

const WORK: &str = "rebuild";
/// Streams of one part that are rebuilt at once.
const STREAMS_AT_ONCE: usize = 8;
/// Failures of one part that are named; the others are counted.
const FAILURES_NAMED: usize = 25;

/// How to rebuild.
#[derive(Debug, Clone, Copy)]
pub struct RebuildOptions {
    /// Into how many parts the journal is cut, which are walked through side by side. A run that is gone on with keeps those
    /// it was begun with.
    pub segments: u32,
    /// Begin anew where another run was not ended.
    pub restart: bool,
    /// Most commits that are read for one page, where 1 MB of them is too much.
    pub page_limit: Option<u32>,
}

/// What became of the streams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Streams from which rows follow.
    pub streams: u64,
    /// Their rows were right.
    pub right: u64,
    /// Their rows were not.
    pub replaced: u64,
    /// The keys of their accounts were destroyed; their rows were left alone.
    pub erased: u64,
    /// They could not be read; their rows were left alone.
    pub failed: u64,
    /// Some of these.
    pub failures: Vec<Failure>,
}

/// A stream that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The tenant.
    pub account: AccountId,
    /// The stream.
    pub stream: StreamName,
    /// Why.
    pub reason: String,
}

/// What a rebuild came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RebuildReport {
    /// When it was begun.
    pub began_at: Timestamp,
    /// True when it went on with what an earlier call had begun.
    pub resumed: bool,
    /// What became of the streams.
    #[serde(flatten)]
    pub tally: Tally,
    /// Streams that had been put aside by the consumer which keeps their rows, and that it handles again.
    pub unparked: u64,
}

#[derive(Serialize, Deserialize)]
struct Run {
    segments: u32,
    began_at: Timestamp,
}

/// Where one part of the journal is.
#[derive(Default, Serialize, Deserialize)]
struct Part {
    next: Option<String>,
    is_done: bool,
    tally: Tally,
}

struct Work<'a> {
    engine: &'a AwsEngine,
    rebuild: Rebuild,
    search: Option<SearchProjection>,
    checkpoint: &'a Checkpoint,
    run: &'a Run,
    page_limit: Option<u32>,
    report: Report<'a>,
    streams: AtomicU64,
    parts_done: AtomicU32,
}

/// Makes all rows of messages, sessions, webhook endpoints and API keys, the audit log and the operator's lists what the journal
/// says, and indexes the words of all messages where `search` is given. Goes on with a run that was not ended.
pub async fn rebuild(
    engine: &AwsEngine,
    ports: &CommandPorts,
    search: Option<Arc<dyn Search>>,
    options: &RebuildOptions,
    report: Report<'_>,
) -> Result<RebuildReport, OperatorError> {
    let checkpoint = Checkpoint::new(engine.records(), WORK);
    if options.restart {
        checkpoint.remove().await?;
    }
    let begun = checkpoint.load::<Run>(RUN).await?;
    let resumed = begun.is_some();
    let run = begun.unwrap_or(Run { segments: options.segments.max(1), began_at: ports.clock.now() });
    checkpoint.keep(RUN, &run).await?;
    let work = Work {
        engine,
        rebuild: Rebuild { ports: ports.clone(), records: engine.records() },
        search: search.map(|search| SearchProjection { ports: ports.clone(), search }),
        checkpoint: &checkpoint,
        run: &run,
        page_limit: options.page_limit,
        report,
        streams: AtomicU64::new(0),
        parts_done: AtomicU32::new(0),
    };
    let mut tally = Tally::default();
    let parts = try_join_all((0..run.segments).map(|number| work.part_as_kept(number))).await?;
    let parts = parts.into_iter().enumerate().map(|(number, part)| work.part(number as u32, part));
    for part in try_join_all(parts).await? {
        tally.add(part);
    }
    let unparked = work.unpark().await?;
    checkpoint.remove().await?;
    Ok(RebuildReport { began_at: run.began_at, resumed, tally, unparked })
}

impl Work<'_> {
    /// Where an earlier call left the part.
    async fn part_as_kept(&self, number: u32) -> Result<Part, PortError> {
        let part: Part = self.checkpoint.load(&part_name(number)).await?.unwrap_or_default();
        self.streams.fetch_add(part.tally.streams, Ordering::Relaxed);
        Ok(part)
    }

    async fn part(&self, number: u32, mut part: Part) -> Result<Tally, PortError> {
        let name = part_name(number);
        let scan = JournalScan {
            segment: number,
            segments: self.run.segments,
            wanted: StreamFilter::All,
            page_limit: self.page_limit,
        };
        while !part.is_done {
            let page =
                patiently(async || self.engine.scan_journal(&scan, part.next.as_deref()).await).await?;
            let rebuilt: Vec<Tally> = stream::iter(page.streams)
                .map(|(account, stream)| self.stream(account, stream))
                .buffer_unordered(STREAMS_AT_ONCE)
                .try_collect()
                .await?;
            for one in rebuilt {
                self.streams.fetch_add(one.streams, Ordering::Relaxed);
                part.tally.add(one);
            }
            part.is_done = page.next.is_none();
            part.next = page.next;
            patiently(async || self.checkpoint.keep(&name, &part).await).await?;
            if !part.is_done {
                self.tell();
            }
        }
        self.parts_done.fetch_add(1, Ordering::Relaxed);
        self.tell();
        Ok(part.tally)
    }

    async fn stream(&self, account: AccountId, stream: StreamName) -> Result<Tally, PortError> {
        let rebuilt = patiently(async || {
            let rebuilt = self.rebuild.stream(account, &stream).await?;
            match &self.search {
                Some(search) if matches!(rebuilt, Rebuilt::Right | Rebuilt::Replaced) => {
                    search.rebuild(account, &stream).await?;
                },
                _ => {},
            }
            Ok(rebuilt)
        })
        .await;
        let one = Tally { streams: 1, ..Tally::default() };
        Ok(match rebuilt {
            Ok(Rebuilt::NoRows) => Tally::default(),
            Ok(Rebuilt::Right) => Tally { right: 1, ..one },
            Ok(Rebuilt::Replaced) => Tally { replaced: 1, ..one },
            Ok(Rebuilt::Erased) => Tally { erased: 1, ..one },
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                tracing::error!(%account, %stream, %error, "a stream cannot be rebuilt");
                Tally {
                    failed: 1,
                    failures: vec![Failure { account, stream, reason: error.to_string() }],
                    ..one
                }
            },
        })
    }

    /// Gives streams back to the consumer that keeps their rows and had put them aside, also those that it put aside since
    /// the rebuild began, because of a row that was not rebuilt yet. Rows are looked at once more behind that: what the
    /// consumer left out before, it left out of a stream that is now read.
    async fn unpark(&self) -> Result<u64, PortError> {
        let (records, mut unparked) = (self.engine.records(), 0);
        for consumer in Rebuild::CONSUMERS {
            for parked in patiently(async || feed::parked(&*records, consumer).await).await? {
                let (account, stream) = (parked.account, parked.stream);
                if !Rebuild::consumers_of(stream.kind()).contains(&consumer)
                    || self.stream(account, stream.clone()).await?.failed > 0
                {
                    continue;
                }
                patiently(async || feed::unpark(&*records, consumer, account, &stream).await).await?;
                self.stream(account, stream).await?;
                unparked += 1;
            }
        }
        Ok(unparked)
    }

    fn tell(&self) {
        (self.report)(Standing {
            done: "streams rebuilt",
            count: self.streams.load(Ordering::Relaxed),
            of: None,
            parts: Some((self.parts_done.load(Ordering::Relaxed), self.run.segments)),
        });
    }
}

fn part_name(number: u32) -> String {
    format!("segment/{number:04}")
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.streams += other.streams;
        self.right += other.right;
        self.replaced += other.replaced;
        self.erased += other.erased;
        self.failed += other.failed;
        let room = FAILURES_NAMED.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
    }
}
