//! How many messages an account's sessions handled on a day, counted from the index of messages by session.
//!
//! Nothing is written for a message, and no counter is raised: a commit that comes twice, or again after years, finds its row
//! and its one place in the index, so it counts once. A day is the day on which a message was recorded here, which does not
//! change. What was imported of a phone's history is no work of a day and stands at WhatsApp's time, so it does not count.
//!
//! The count of a day that is over is kept, so that it is made once. A message whose row comes behind that (the feed stood
//! still, or rows are rebuilt) takes the count away, see [`count_without`], and the next request counts anew.

use std::collections::BTreeMap;

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
/// Queries of an index that one call makes, more or less: each of one session and day, and of up to 1,000 messages. On AWS that
/// takes some seconds and 2,000 read units at least.
pub const USAGE_QUERIES_MAX: usize = 4_000;
/// Sessions that were ever made in an account, of which messages are counted. Where there are more no day is complete.
const SESSIONS_EVER_MAX: usize = 100_000;
/// Sessions that are counted side by side.
const AT_ONCE: usize = 16;
/// Rows or places that are read at once.
const PAGE: usize = 1_000;
/// So long after its end a day is over: the feed is seldom behind so far.
const OVER_AFTER: SignedDuration = SignedDuration::from_hours(2);
/// So long after its end a row that comes is late. Less than the above, by more than clocks differ.
const LATE_AFTER: SignedDuration = SignedDuration::from_mins(30);
/// How long a count is kept. On AWS an index lags by a moment, so that a count could just miss a row that came late: it does not
/// stay wrong.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

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
    done: bool,
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

fn has_ended(day: Date, ago: SignedDuration, now: Timestamp) -> bool {
    end(day).is_ok_and(|end| end + ago <= now)
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
    (from, to): (Date, Date),
) -> Result<Vec<UsageDay>, PortError> {
    let days: Vec<Date> =
        from.series(jiff::Span::new().days(1)).take(USAGE_DAYS_MAX).take_while(|day| *day <= to).collect();
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(Vec::new()) };
    let bounds = Bounds { after: Some(below(*first)), before: Some(format!("{last}~")) };
    let query = Query { index: 0, partition: keys::usage(account), bounds, descending: false, limit: PAGE };
    let kept = records.query(query).await?;
    let mut kept: BTreeMap<String, Row> = kept.into_iter().map(|row| (row.key.sort.clone(), row)).collect();
    let mut counting =
        Counting { records, account, now: clock.now(), sessions: None, left: USAGE_QUERIES_MAX };
    let mut told = Vec::with_capacity(days.len());
    // The latest first: they are asked for most.
    for day in days.into_iter().rev() {
        told.push(counting.day(day, kept.remove(&day.to_string())).await?);
    }
    told.reverse();
    Ok(told)
}

/// Sorts before a day and behind those before it.
fn below(day: Date) -> String {
    day.yesterday().map_or_else(|_| String::new(), |before| format!("{before}~"))
}

struct Counting<'a> {
    records: &'a dyn Records,
    account: AccountId,
    now: Timestamp,
    /// All that were ever made, and whether these are all. Read once they are needed.
    sessions: Option<(Vec<SessionId>, bool)>,
    /// Queries that may still be made.
    left: usize,
}

impl Counting<'_> {
    async fn day(&mut self, day: Date, row: Option<Row>) -> Result<UsageDay, PortError> {
        if !has_ended(day, OVER_AFTER, self.now) {
            let Counted { counts, done, .. } = self.go_on(day, Counted::default()).await?;
            return Ok(UsageDay { day, counts, complete: done });
        }
        let begun: Counted = row.as_ref().map(rows::value).transpose()?.unwrap_or_default();
        if begun.done || self.left == 0 {
            return Ok(UsageDay { day, counts: begun.counts, complete: begun.done });
        }
        // The row is there before anything is counted: who writes a late message from now on takes it away, and this count
        // is then not kept.
        let version = match &row {
            Some(row) => row.version,
            None if self.keep(day, &begun, 1, Guard::Absent).await? => 1,
            None => return Ok(UsageDay { day, counts: begun.counts, complete: false }),
        };
        let counted = self.go_on(day, begun).await?;
        let is_kept = self.keep(day, &counted, version + 1, Guard::Exactly(version)).await?;
        Ok(UsageDay { day, counts: counted.counts, complete: counted.done && is_kept })
    }

    async fn keep(
        &self,
        day: Date,
        counted: &Counted,
        version: u64,
        guard: Guard,
    ) -> Result<bool, PortError> {
        let row = rows::row(keys::usage_of_day(self.account, day), version, counted)?;
        let row = Row { expires_at: self.now.checked_add(KEPT).ok(), ..row };
        Ok(self.records.write_each(vec![Write::Put(row, guard)]).await? == [true])
    }

    async fn go_on(&mut self, day: Date, mut counted: Counted) -> Result<Counted, PortError> {
        let (sessions, are_all) = self.sessions_ever().await?;
        let end_ms = u64::try_from(end(day)?.as_millisecond()).unwrap_or(0);
        let is_left = |session: &SessionId| {
            session.unix_ms() < end_ms
                && counted.after.as_ref().is_none_or(|after| session.to_string() > *after)
        };
        let left: Vec<SessionId> = sessions.into_iter().filter(is_left).collect();
        for some in left.chunks(AT_ONCE) {
            if self.left == 0 {
                return Ok(counted);
            }
            let (queries, account) = (self.left, self.account);
            let count = |session: &SessionId| of_session(self.records, account, *session, day, queries);
            for (session, of_session) in some.iter().zip(try_join_all(some.iter().map(count)).await?) {
                self.left = self.left.saturating_sub(of_session.queries);
                let Some(counts) = of_session.counts else {
                    // Too many for what is left. With a whole call's worth it was too many at all, and stays so.
                    self.left = 0;
                    return Ok(counted);
                };
                counted.counts.add(&counts);
                counted.after = Some(session.to_string());
            }
        }
        counted.done = are_all;
        Ok(counted)
    }

    /// Also those that were deleted: what they handled, they handled.
    async fn sessions_ever(&mut self) -> Result<(Vec<SessionId>, bool), PortError> {
        if let Some(known) = &self.sessions {
            return Ok(known.clone());
        }
        let (mut sessions, mut after, mut are_all) = (Vec::new(), None, false);
        while !are_all && sessions.len() < SESSIONS_EVER_MAX {
            let (partition, bounds) = (keys::sessions(self.account), Bounds { after, before: None });
            let found = self
                .records
                .query(Query { index: 0, partition, bounds, descending: false, limit: PAGE })
                .await?;
            are_all = found.len() < PAGE;
            after = found.last().map(|row| row.key.sort.clone());
            let ids = found.iter().map(|row| SessionId::parse(&row.key.sort));
            sessions.extend(
                ids.collect::<Result<Vec<_>, _>>().map_err(|error| PortError::Corrupt(error.to_string()))?,
            );
        }
        Ok(self.sessions.insert((sessions, are_all)).clone())
    }
}

/// What one session handled on a day.
struct OfSession {
    /// `None` when that took more queries than there are.
    counts: Option<UsageCounts>,
    queries: usize,
}

async fn of_session(
    records: &dyn Records,
    account: AccountId,
    session: SessionId,
    day: Date,
    queries_max: usize,
) -> Result<OfSession, PortError> {
    let place = |time: Timestamp| format!("{:015}", time.as_millisecond());
    let (mut after, before) = (Some(place(start(day)?)), Some(place(end(day)?)));
    let (mut counts, mut queries) = (UsageCounts::default(), 0);
    while queries < queries_max {
        let bounds = Bounds { after: after.take(), before: before.clone() };
        let partition = keys::messages_of_session(account, session);
        let query = Query { index: keys::BY_SESSION, partition, bounds, descending: false, limit: PAGE };
        let places = records.places(query).await?;
        queries += 1;
        for place in &places {
            counts.count(origin(records, account, place).await?);
        }
        if places.len() < PAGE {
            counts.sessions = u64::from(counts != UsageCounts::default());
            return Ok(OfSession { counts: Some(counts), queries });
        }
        after = places.into_iter().next_back();
    }
    Ok(OfSession { counts: None, queries })
}

/// Who wrote the message at this place. Of one whose place an earlier version wrote its row says it.
async fn origin(records: &dyn Records, account: AccountId, place: &str) -> Result<Option<Origin>, PortError> {
    match origin_at(place) {
        Some((_, _, Some(origin))) => Ok(Some(origin)),
        Some((_, id, None)) => {
            let view: Option<MessageView> = rows::get(records, &keys::message(account, id)).await?;
            Ok(view.map(|view| view.origin))
        },
        None => Err(PortError::Corrupt("the place of a message".to_owned())),
    }
}

impl UsageCounts {
    fn count(&mut self, origin: Option<Origin>) {
        match origin {
            Some(Origin::Api) => self.sent += 1,
            Some(Origin::Phone) => self.sent_from_phone += 1,
            Some(Origin::Contact) => self.received += 1,
            Some(Origin::History) | None => {},
        }
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.sent_from_phone += other.sent_from_phone;
        self.received += other.received;
        self.sessions += other.sessions;
    }
}
