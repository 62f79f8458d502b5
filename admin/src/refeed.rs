//! Commits to consumers once more.

use std::{
    collections::BTreeSet,
    ops::Bound,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use futures::{StreamExt as _, future::try_join_all, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use waxwing_app::{
    execute::CommandPorts,
    feed::{self, Consumer, FeedPush, ParkedStream},
    ports::{FeedItem, PortError, StreamName},
};
use waxwing_aws::{AwsEngine, JournalScan, StreamFilter};
use waxwing_domain::AccountId;

use crate::{
    OperatorError,
    checkpoint::{Checkpoint, RUN},
    patience::patiently,
    progress::{Report, Standing},
};

const WORK: &str = "refeed";
/// About how many commits the consumers get at once: as many as from the journal's stream.
pub const BATCH: usize = 100;
/// Most commits that they get at once, where one stream has more.
const BATCH_MAX: usize = 256;
/// Streams that are read at once.
const READS_AT_ONCE: usize = 16;
/// Streams that one run keeps in memory: about 300 MB of names.
const STREAMS_MAX: usize = 2_000_000;
/// Parked streams that are named; the others are counted.
const PARKED_NAMED: usize = 100;

/// What to bring again.
#[derive(Debug, Clone, Copy)]
pub struct RefeedOptions {
    /// Commits from this time on.
    pub since: Timestamp,
    /// And up to this one; the present unless it is given.
    pub until: Option<Timestamp>,
    /// Give up another run that was not ended.
    pub restart: bool,
    /// Into how many parts the journal is cut, which are walked through side by side.
    pub segments: u32,
    /// Most commits that are read for one page, where 1 MB of them is too much.
    pub page_limit: Option<u32>,
    /// About how many commits the consumers get at once: [`BATCH`].
    pub batch: usize,
}

/// What a refeed came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefeedReport {
    /// From when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// To whom.
    pub consumers: Vec<String>,
    /// True when it went on with what an earlier call had begun.
    pub resumed: bool,
    /// Streams with commits of that time.
    pub streams: u64,
    /// Commits that were brought.
    pub commits: u64,
    /// Streams that a consumer had put aside and now handles again.
    pub unparked: u64,
    /// Streams that a consumer cannot handle, whenever that was found.
    pub parked: u64,
    /// Some of these.
    pub still_parked: Vec<StillParked>,
}

/// A stream that a consumer cannot handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StillParked {
    /// The consumer.
    pub consumer: &'static str,
    /// The stream, and why.
    #[serde(flatten)]
    pub parked: ParkedStream,
}

/// A stream with commits of the time, in the order in which streams are brought: by the time at which they were begun, which
/// is the order in which messages were accepted. Whoever sends them depends on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Found {
    begun: String,
    account: AccountId,
    stream: StreamName,
}

impl Found {
    fn new((account, stream): (AccountId, StreamName)) -> Self {
        // What stands behind the prefix of an id sorts by time.
        let id = stream.id();
        let begun = id.split_once('_').map_or(id, |(_, time)| time).to_owned();
        Self { begun, account, stream }
    }
}

#[derive(Serialize, Deserialize)]
struct Run {
    since: Timestamp,
    until: Timestamp,
    consumers: Vec<String>,
    /// Up to and including this stream, all is done.
    done: Option<Found>,
    streams: u64,
    commits: u64,
    unparked: u64,
}

impl Run {
    fn is_what(&self, options: &RefeedOptions, consumers: &[String]) -> bool {
        self.since == options.since
            && options.until.is_none_or(|until| until == self.until)
            && self.consumers == consumers
    }
}

struct Work<'a> {
    engine: &'a AwsEngine,
    consumers: &'a [Arc<dyn Consumer>],
    checkpoint: Checkpoint,
    options: &'a RefeedOptions,
    report: Report<'a>,
}

/// Brings the commits of a time to these consumers, each stream's in order. Goes on with the same run where it was not
/// ended: the journal is then walked through again, and what was brought before is left out.
pub async fn refeed(
    engine: &AwsEngine,
    ports: &CommandPorts,
    consumers: &[Arc<dyn Consumer>],
    options: &RefeedOptions,
    report: Report<'_>,
) -> Result<RefeedReport, OperatorError> {
    let checkpoint = Checkpoint::new(engine.records(), WORK);
    if options.restart {
        checkpoint.remove().await?;
    }
    let names: Vec<String> = consumers.iter().map(|consumer| consumer.name().to_owned()).collect();
    let begun = checkpoint.load::<Run>(RUN).await?;
    let resumed = begun.is_some();
    let mut run = match begun {
        Some(run) if run.is_what(options, &names) => run,
        Some(Run { since, until, consumers, .. }) => {
            return Err(OperatorError::OtherRefeed { since, until, consumers: consumers.join(", ") });
        },
        None => {
            let (since, until) = (options.since, options.until.unwrap_or_else(|| ports.clock.now()));
            let (streams, commits, unparked) = (0, 0, 0);
            Run { since, until, consumers: names, done: None, streams, commits, unparked }
        },
    };
    if run.since >= run.until {
        return Err(OperatorError::EmptyTime { since: run.since, until: run.until });
    }
    checkpoint.keep(RUN, &run).await?;
    let work = Work { engine, consumers, checkpoint, options, report };
    let found = work.find(&run).await?;
    work.bring_parked(&mut run, &found).await?;
    work.bring(&mut run, &found).await?;
    let (parked, still_parked) = work.still_parked().await?;
    work.checkpoint.remove().await?;
    let Run { since, until, consumers, streams, commits, unparked, .. } = run;
    Ok(RefeedReport { since, until, consumers, resumed, streams, commits, unparked, parked, still_parked })
}

impl Work<'_> {
    /// All streams with commits of the time that somebody wants.
    async fn find(&self, run: &Run) -> Result<BTreeSet<Found>, OperatorError> {
        let (found, parts_done) = (Mutex::new(BTreeSet::new()), AtomicU32::new(0));
        let segments = self.options.segments.max(1);
        let parts = (0..segments).map(|segment| {
            let wanted = StreamFilter::Written { since: run.since, until: run.until };
            let scan = JournalScan { segment, segments, wanted, page_limit: self.options.page_limit };
            let (found, parts_done) = (&found, &parts_done);
            async move {
                let mut next = None;
                loop {
                    let page =
                        patiently(async || self.engine.scan_journal(&scan, next.as_deref()).await).await?;
                    let wanted = page.streams.into_iter().filter(|(_, stream)| self.is_wanted(stream));
                    let streams = {
                        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                        found.extend(wanted.map(Found::new));
                        found.len()
                    };
                    if streams > STREAMS_MAX {
                        return Err(OperatorError::TooMany(STREAMS_MAX));
                    }
                    next = page.next;
                    if next.is_none() {
                        parts_done.fetch_add(1, Ordering::Relaxed);
                    }
                    let parts = Some((parts_done.load(Ordering::Relaxed), segments));
                    (self.report)(Standing { done: "streams found", count: streams as u64, of: None, parts });
                    if next.is_none() {
                        return Ok(());
                    }
                }
            }
        });
        try_join_all(parts).await?;
        Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_wanted(&self, stream: &StreamName) -> bool {
        self.consumers.iter().any(|consumer| consumer.kinds().contains(&stream.kind()))
    }

    /// Streams that a consumer had put aside go back to it, if it can handle them now, from the commit on that it could not
    /// handle, whenever that was written.
    async fn bring_parked(&self, run: &mut Run, found: &BTreeSet<Found>) -> Result<(), PortError> {
        let records = self.engine.records();
        for consumer in self.consumers {
            for parked in patiently(async || feed::parked(&*records, consumer.name()).await).await? {
                let ParkedStream { account, stream, version, .. } = parked;
                if !found.contains(&Found::new((account, stream.clone()))) {
                    continue;
                }
                let Some(head) = self.try_from(&**consumer, account, &stream, version).await? else {
                    continue;
                };
                patiently(async || feed::unpark(&*records, consumer.name(), account, &stream).await).await?;
                // What came until then was left out, too.
                self.try_from(&**consumer, account, &stream, head + 1).await?;
                run.unparked += 1;
            }
        }
        Ok(())
    }

    /// Lets the consumer handle the stream from this version on, and says up to which; `None` when it cannot.
    async fn try_from(
        &self,
        consumer: &dyn Consumer,
        account: AccountId,
        stream: &StreamName,
        version: u64,
    ) -> Result<Option<u64>, PortError> {
        let mut items = patiently(async || self.engine.feed_of(account, stream).await).await?;
        items.retain(|item| item.commit.version >= version);
        for batch in items.chunks(BATCH_MAX) {
            match patiently(async || consumer.handle(batch).await).await {
                Err(error) if !error.is_transient() => return Ok(None),
                handled => handled?,
            }
        }
        Ok(Some(items.last().map_or(version, |last| last.commit.version)))
    }

    /// Brings what was not brought yet.
    async fn bring(&self, run: &mut Run, found: &BTreeSet<Found>) -> Result<(), PortError> {
        let mut push = FeedPush::new(&self.engine.records(), self.consumers.to_vec());
        let begin = run.done.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let (since, until, of) = (run.since, run.until, found.len() as u64);
        let mut read = stream::iter(found.range((begin, Bound::Unbounded)))
            .map(|found| async move { Ok((found, self.read(found, since, until).await?)) })
            .buffered(READS_AT_ONCE);
        let mut batch: Vec<FeedItem> = Vec::new();
        let mut last = None;
        while let Some((found, items)) = read.next().await.transpose()? {
            batch.extend(items);
            run.streams += 1;
            last = Some(found);
            if batch.len() >= self.options.batch {
                self.hand_over(&mut push, run, std::mem::take(&mut batch), last.take(), of).await?;
            }
        }
        self.hand_over(&mut push, run, batch, last, of).await
    }

    /// The stream's commits from the first one of the time to the last one, without a gap.
    async fn read(
        &self,
        found: &Found,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<FeedItem>, PortError> {
        let mut items = patiently(async || self.engine.feed_of(found.account, &found.stream).await).await?;
        let is_inside = |item: &FeedItem| (since..=until).contains(&item.commit.at);
        let Some(first) = items.iter().position(is_inside) else { return Ok(Vec::new()) };
        let end = items.iter().rposition(is_inside).map_or(first, |last| last + 1);
        Ok(items.drain(first..end).collect())
    }

    async fn hand_over(
        &self,
        push: &mut FeedPush,
        run: &mut Run,
        batch: Vec<FeedItem>,
        last: Option<&Found>,
        of: u64,
    ) -> Result<(), PortError> {
        for items in batch.chunks(BATCH_MAX) {
            patiently(async || push.handle(items).await).await?;
        }
        run.commits += batch.len() as u64;
        if let Some(last) = last {
            run.done = Some(last.clone());
            patiently(async || self.checkpoint.keep(RUN, run).await).await?;
        }
        (self.report)(Standing { done: "streams brought", count: run.streams, of: Some(of), parts: None });
        Ok(())
    }

    async fn still_parked(&self) -> Result<(u64, Vec<StillParked>), PortError> {
        let (records, mut all) = (self.engine.records(), Vec::new());
        for consumer in self.consumers {
            let consumer = consumer.name();
            let parked = patiently(async || feed::parked(&*records, consumer).await).await?;
            all.extend(parked.into_iter().map(|parked| StillParked { consumer, parked }));
        }
        let count = all.len() as u64;
        all.truncate(PARKED_NAMED);
        Ok((count, all))
    }
}
