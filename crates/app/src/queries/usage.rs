//! How many messages an account's sessions handled on a day, counted from the index of messages by session.
//!
//! Nothing is written for a message, and no counter is raised: a commit that comes twice, or again after years, finds its row
//! and its one place in the index, so it counts once. A day is the day on which a message was recorded here, which does not
//! change. What was imported of a phone's history is no work of a day and stands at WhatsApp's time, so it does not count.
//!
//! The count of a day that is over is kept, so that it is made once. A message whose row comes behind that (the feed stood
//! still, or rows are rebuilt) takes the count away, see [`count_without`], and the next request counts anew.
//!
//! A day that is not over is counted anew by each request, so that it tells what is there. Only where that does not fit into
//! one request is it kept how far the count is, for a minute and at a place of its own, so that nothing takes it for final.

use std::collections::{BTreeMap, HashMap};

use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use waxwing_domain::{AccountId, SessionId, message::Origin};

use crate::{
    keys,
    ports::{Bounds, Clock, Guard, Key, PortError, Query, Records, Row, Write},
    rows,
    views::{MessageView, origin_at},
};

/// Most days that one call tells.
pub const USAGE_DAYS_MAX: usize = 92;
/// Queries and writes that one call makes, more or less. Of a day that is counted each session costs one at least, and one more
/// for each 1,000 messages beyond the first. Standalone that takes far less than a second.
pub const USAGE_QUERIES_MAX: usize = 500;
/// Sessions that are counted side by side.
const AT_ONCE: usize = 16;
/// Sessions that are read at once, and behind which it is kept how far the count is.
const SESSIONS_AT_ONCE: usize = 100;
/// Places that are read at once.
const PAGE: usize = 1_000;
/// Messages whose rows are read at once. They are much larger than places.
const ROWS_AT_ONCE: usize = 100;
/// So long after its end a day is over: the feed is seldom behind so far.
const OVER_AFTER: SignedDuration = SignedDuration::from_hours(2);
/// So long after its end a row that comes is late. Less than the above, by more than clocks differ.
const LATE_AFTER: SignedDuration = SignedDuration::from_mins(30);
/// How long a count is kept. On AWS an index lags by a moment, so that a count could just miss a row that came late: it does not
/// stay wrong.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long the count of a day that is not over is kept, from its last step on: for who asks again at once.
const OPEN_KEPT: SignedDuration = SignedDuration::from_secs(60);

/// What an account's sessions handled on a day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageDay {
    /// The day.
    pub day: Date,
    /// So far.
    pub counts: UsageCounts,
    /// False while not all was counted: ask again.
    pub complete: bool,
}

/// How many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageCounts {
    /// Messages that were accepted for sending.
    pub sent: u64,
    /// Messages that the owners sent from their phones.
    pub sent_from_phone: u64,
    /// Messages that came in.
    pub received: u64,
    /// Sessions with at least one of these.
    pub sessions: u64,
}

/// How far the count of a day is; its row's version grows with each step.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Counted {
    counts: UsageCounts,
    /// Behind which session it goes on; of no meaning once it is done.
    after: Option<String>,
    /// How far the next session is, where it was too much.
    #[serde(default)]
    part: Option<Part>,
    done: bool,
}

/// How far the count of a session's day is.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Part {
    session: SessionId,
    counts: UsageCounts,
    /// Behind which place it goes on.
    after: String,
}

/// The UTC day of a time.
pub fn utc_day(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

fn start(day: Date) -> Result<Timestamp, PortError> {
    let zoned = day.to_zoned(TimeZone::UTC);
    zoned.map(|zoned| zoned.timestamp()).map_err(|error| PortError::Corrupt(error.to_string()))
}

fn end(day: Date) -> Result<Timestamp, PortError> {
    start(day).map(|start| start + SignedDuration::from_hours(24))
}

fn end_ms(day: Date) -> Result<u64, PortError> {
    Ok(u64::try_from(end(day)?.as_millisecond()).unwrap_or(0))
}

fn has_ended(day: Date, ago: SignedDuration, now: Timestamp) -> bool {
    end(day).is_ok_and(|end| end + ago <= now)
}

/// Before all places of messages of that time, and behind those of earlier ones.
fn place(time: Timestamp) -> String {
    format!("{:015}", time.as_millisecond())
}

/// The count that has to go before and after this message's first row is written; none for one that comes in time.
pub(crate) fn count_without(account: AccountId, view: &MessageView, now: Timestamp) -> Option<Key> {
    let day = utc_day(view.committed_at);
    let is_late = view.origin != Origin::History && has_ended(day, LATE_AFTER, now);
    is_late.then(|| keys::usage_of_day(account, day))
}

/// The days from `from` to `to`, at most [`USAGE_DAYS_MAX`]. Goes on with what an earlier call left, and leaves what is too much
/// for one call.
pub async fn usage(
    records: &dyn Records,
    clock: &dyn Clock,
    account: AccountId,
    days: (Date, Date),
) -> Result<Vec<UsageDay>, PortError> {
    usage_within(records, clock, account, days, USAGE_QUERIES_MAX).await
}

/// The same with so many queries and writes, more or less. Below four a call may get nowhere.
pub async fn usage_within(
    records: &dyn Records,
    clock: &dyn Clock,
    account: AccountId,
    (from, to): (Date, Date),
    queries_max: usize,
) -> Result<Vec<UsageDay>, PortError> {
    let days: Vec<Date> =
        from.series(jiff::Span::new().days(1)).take(USAGE_DAYS_MAX).take_while(|day| *day <= to).collect();
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(Vec::new()) };
    let bounds = Bounds { after: Some(below(*first)), before: Some(format!("{last}~")) };
    let query = Query { index: 0, partition: keys::usage(account), bounds, descending: false, limit: PAGE };
    let kept = records.query(query).await?;
    let mut kept: BTreeMap<Key, Row> = kept.into_iter().map(|row| (row.key.clone(), row)).collect();
    let now = clock.now();
    let mut counting = Counting { records, account, now, sessions: HashMap::new(), left: queries_max };
    let mut told = Vec::with_capacity(days.len());
    // Those that are over first: what is counted of them stays, while a large account's today alone could take all there is,
    // minute after minute. Of each kind the latest first: they are asked for most.
    let (over, open): (Vec<Date>, Vec<Date>) =
        days.into_iter().rev().partition(|day| has_ended(*day, OVER_AFTER, now));
    for (days, is_over) in [(over, true), (open, false)] {
        for day in days {
            let key = match is_over {
                true => keys::usage_of_day(account, day),
                false => keys::usage_of_open_day(account, day),
            };
            let row = kept.remove(&key);
            told.push(counting.day(day, Keeping { key, is_over, version: 0 }, row).await?);
        }
    }
    told.sort_unstable_by_key(|day| day.day);
    Ok(told)
}

/// Sorts before a day and behind those before it.
fn below(day: Date) -> String {
    day.yesterday().map_or_else(|_| String::new(), |before| format!("{before}~"))
}

/// The row of a count. Each step depends on the one before: who takes the row away, or counts as well, ends this count.
struct Keeping {
    key: Key,
    is_over: bool,
    /// 0 while there is no row.
    version: u64,
}

struct Counting<'a> {
    records: &'a dyn Records,
    account: AccountId,
    now: Timestamp,
    /// Sessions that were ever made, by the one behind which they stand. Read once they are needed.
    sessions: HashMap<Option<String>, Vec<SessionId>>,
    /// Queries and writes that may still be made.
    left: usize,
}

impl Counting<'_> {
    async fn day(
        &mut self,
        day: Date,
        mut keeping: Keeping,
        row: Option<Row>,
    ) -> Result<UsageDay, PortError> {
        if self.account.unix_ms() >= end_ms(day)? {
            return Ok(UsageDay { day, counts: UsageCounts::default(), complete: true });
        }
        let mut counted = Counted::default();
        if let Some(row) = row {
            (counted, keeping.version) = (rows::value(&row)?, row.version);
        }
        let mut is_kept = true;
        // The row is there before anything is counted: who writes a late message from now on takes it away, and this count
        // is then not kept.
        if keeping.is_over && keeping.version == 0 && self.left > 0 {
            is_kept = self.keep(&mut keeping, &counted).await?;
        }
        while is_kept && !counted.done && self.left > 0 {
            self.go_on(day, &mut counted).await?;
            let was_begun = keeping.version > 0;
            if was_begun || (!counted.done && self.left == 0) {
                is_kept = self.keep(&mut keeping, &counted).await?;
            }
        }
        Ok(UsageDay { day, counts: counted.counts, complete: counted.done && is_kept })
    }

    /// False when somebody else wrote the row, or took it away.
    async fn keep(&mut self, keeping: &mut Keeping, counted: &Counted) -> Result<bool, PortError> {
        let guard = match keeping.version {
            0 => Guard::Absent,
            version => Guard::Exactly(version),
        };
        keeping.version += 1;
        let kept = if keeping.is_over { KEPT } else { OPEN_KEPT };
        let row = rows::row(keeping.key.clone(), keeping.version, counted)?;
        let row = Row { expires_at: self.now.checked_add(kept).ok(), ..row };
        self.left = self.left.saturating_sub(1);
        Ok(self.records.write_each(vec![Write::Put(row, guard)]).await? == [true])
    }

    /// Counts the next page of sessions, or as much of it as what is left is enough for.
    async fn go_on(&mut self, day: Date, counted: &mut Counted) -> Result<(), PortError> {
        let (page, end_ms) = (self.sessions_behind(counted.after.clone()).await?, end_ms(day)?);
        // Ids sort by time: behind one that was made later are only such.
        let there = page.iter().take_while(|session| session.unix_ms() < end_ms).count();
        let mut sessions = &page[..there];
        while !sessions.is_empty() && self.left > 0 {
            // Half of what is left at most, so that something is left for those with more than a page of places.
            let (some, others) = sessions.split_at(sessions.len().min(AT_ONCE).min(self.left.div_ceil(2)));
            self.left -= some.len();
            let begun = counted.part.take();
            let mut parts = Vec::with_capacity(some.len());
            for session in some {
                parts.push(match &begun {
                    Some(part) if part.session == *session => part.clone(),
                    _ => {
                        Part { session: *session, counts: UsageCounts::default(), after: place(start(day)?) }
                    },
                });
            }
            let mut queries = Vec::with_capacity(parts.len());
            for part in &parts {
                queries.push(self.query(part, place(end(day)?)));
            }
            let records = self.records;
            let found = try_join_all(queries.into_iter().map(|query| records.places(query))).await?;
            for (mut part, places) in parts.into_iter().zip(found) {
                if !self.count(&mut part, places, day).await? {
                    // What was found of those behind it is forgotten.
                    counted.part = Some(part);
                    return Ok(());
                }
                part.counts.sessions = u64::from(part.counts != UsageCounts::default());
                counted.counts.add(&part.counts);
                counted.after = Some(part.session.to_string());
            }
            sessions = others;
        }
        let are_last = there < page.len() || page.len() < SESSIONS_AT_ONCE;
        counted.done = sessions.is_empty() && are_last;
        Ok(())
    }

    /// Counts a session on from these places; false when nothing is left for the rest.
    async fn count(
        &mut self,
        part: &mut Part,
        mut places: Vec<String>,
        day: Date,
    ) -> Result<bool, PortError> {
        loop {
            let is_last = places.len() < PAGE;
            let mut marked = Vec::with_capacity(places.len());
            for place in places {
                let (_, _, origin) = origin_at(&place)
                    .ok_or_else(|| PortError::Corrupt("the place of a message".to_owned()))?;
                marked.push((place, origin));
            }
            let mut marked = &marked[..];
            while let Some((_, first)) = marked.first() {
                let is_marked = first.is_some();
                let alike = marked.iter().take(ROWS_AT_ONCE);
                let alike = alike.take_while(|(_, origin)| origin.is_some() == is_marked).count();
                let (some, others) = marked.split_at(alike);
                // Behind the message, wherever a version puts it: its row may be written again before the count goes on.
                let after = some.last().map(|(place, _)| format!("{place}~")).unwrap_or_default();
                if is_marked {
                    some.iter()
                        .filter_map(|(_, origin)| *origin)
                        .for_each(|origin| part.counts.count(origin));
                } else if self.left == 0 {
                    return Ok(false);
                } else {
                    // An earlier version wrote these places. The rows say who wrote the messages.
                    self.left -= 1;
                    for row in self.records.query(self.query(part, after.clone())).await? {
                        part.counts.count(rows::value::<MessageView>(&row)?.origin);
                    }
                }
                part.after = after;
                marked = others;
            }
            if is_last {
                return Ok(true);
            }
            if self.left == 0 {
                return Ok(false);
            }
            self.left -= 1;
            places = self.records.places(self.query(part, place(end(day)?))).await?;
        }
    }

    /// For the session's messages that are not counted yet, up to a place.
    fn query(&self, part: &Part, before: String) -> Query {
        let bounds = Bounds { after: Some(part.after.clone()), before: Some(before) };
        let partition = keys::messages_of_session(self.account, part.session);
        Query { index: keys::BY_SESSION, partition, bounds, descending: false, limit: PAGE }
    }

    /// Also those that were deleted: what they handled, they handled.
    async fn sessions_behind(&mut self, after: Option<String>) -> Result<Vec<SessionId>, PortError> {
        if let Some(known) = self.sessions.get(&after) {
            return Ok(known.clone());
        }
        self.left = self.left.saturating_sub(1);
        let bounds = Bounds { after: after.clone(), before: None };
        let partition = keys::sessions(self.account);
        let query = Query { index: 0, partition, bounds, descending: false, limit: SESSIONS_AT_ONCE };
        let rows = self.records.query(query).await?;
        let ids: Result<Vec<_>, _> = rows.iter().map(|row| SessionId::parse(&row.key.sort)).collect();
        let ids = ids.map_err(|error| PortError::Corrupt(error.to_string()))?;
        Ok(self.sessions.entry(after).or_insert(ids).clone())
    }
}

impl UsageCounts {
    fn count(&mut self, origin: Origin) {
        match origin {
            Origin::Api => self.sent += 1,
            Origin::Phone => self.sent_from_phone += 1,
            Origin::Contact => self.received += 1,
            Origin::History => {},
        }
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.sent_from_phone += other.sent_from_phone;
        self.received += other.received;
        self.sessions += other.sessions;
    }
}
