//! A session's outbox: the open rows, what is on its way, and what may go next.
//!
//! One message of a chat is on its way at a time, so that the network always holds a prefix of each chat.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;
use waxwing_app::{
    commands::SentId,
    ports::{Key, PortError, Row},
    processes::OutboxRow,
    rows,
};
use waxwing_domain::{Jid, Timestamp};

/// Open rows that are held in memory at once.
pub(crate) const WINDOW: usize = 512;
/// Rows of one chat that are held in memory at once, so that a chat that does not move leaves room for the others.
const PER_CHAT_MAX: usize = 16;
/// Longest pause of a chat whose sends fail.
const SEND_PAUSE_MAX: Duration = Duration::from_secs(300);
/// Chats that are sent to at once.
const IN_FLIGHT_MAX: usize = 32;
/// How long WhatsApp may take to acknowledge before the same message is sent again with the same id.
pub(crate) const ACK_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause before a failed send is tried again.
const SEND_PAUSE: Duration = Duration::from_secs(2);

/// How much later than its order says a row may come, where rows do come late, and still be found by the next hint.
const LATE: Duration = Duration::from_secs(5);

/// Operations whose receipts are known for what they are. Those of earlier ones look for a message, and give up.
const OPERATIONS_MAX: usize = 1_024;

/// An open row with its key.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) key: Key,
    pub(crate) row: OutboxRow,
}

/// A row that was taken out.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) key: Key,
    pub(crate) sent: SentId,
}

impl From<Open> for Taken {
    fn from(Open { key, row }: Open) -> Self {
        let operation_id = row.operation_id().map(str::to_owned);
        Self { key, sent: SentId { message_id: row.message_id, operation_id } }
    }
}

/// What is on its way.
struct InFlight {
    chat: Jid,
    /// When to give up waiting for the acknowledgement.
    until: Instant,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Outbox {
    open: BTreeMap<String, Open>,
    /// By WhatsApp id.
    in_flight: HashMap<String, InFlight>,
    /// Taken out, and not yet seen to be gone from the rows.
    done: HashMap<String, Taken>,
    /// Chats whose last sends failed: how often, and until when they pause.
    paused: HashMap<Jid, (u32, Instant)>,
    /// Chats of which rows were left out: none of their later rows is taken before the next reading from the beginning.
    held_back: HashSet<Jid>,
    /// The last row that was read, and that no late row can come before.
    last: Option<String>,
    /// How long a message is held back after it was accepted, so that earlier ones that come late go before it.
    settle: Duration,
    /// What was done to messages lately: receipts for it say nothing of a message.
    operations: VecDeque<String>,
    /// When the first message that is held back may go.
    settled_at: Option<Instant>,
    /// Rows may stand behind the last one.
    more: bool,
}

impl Outbox {
    /// An outbox whose rows may come out of order within this time; zero where they never do.
    pub(crate) fn new(settle: Duration) -> Self {
        Self { settle, ..Self::default() }
    }

    /// Takes what stands in the outbox: up to [`WINDOW`] rows from its beginning.
    pub(crate) fn read(&mut self, rows: &[Row], clock: Timestamp) -> Result<(), PortError> {
        // What is on its way stays, also when it lies outside the window.
        let in_flight = &self.in_flight;
        self.open.retain(|_, open| in_flight.contains_key(&open.row.whatsapp_id));
        self.held_back.clear();
        self.last = None;
        let ids = self.insert(rows, clock)?;
        self.done.retain(|id, _| ids.contains(id));
        Ok(())
    }

    /// True for something that was done to a message, lately.
    pub(crate) fn is_operation(&self, whatsapp_id: &str) -> bool {
        self.operations.iter().any(|id| id == whatsapp_id)
    }

    /// Whether the network has said of everything that was sent what became of it.
    pub(crate) fn is_settled(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// What was taken out before the last reading from the beginning and stood there still, with its WhatsApp id: a replay
    /// of the feed put it back, or it is just about to go.
    pub(crate) fn left(&self) -> Vec<(String, Taken)> {
        self.done.iter().map(|(id, taken)| (id.clone(), taken.clone())).collect()
    }

    /// Takes rows that stand behind the last one that was read.
    pub(crate) fn read_on(&mut self, rows: &[Row], clock: Timestamp) -> Result<(), PortError> {
        self.insert(rows, clock).map(drop)
    }

    fn insert(&mut self, rows: &[Row], clock: Timestamp) -> Result<HashSet<String>, PortError> {
        self.more = rows.len() >= WINDOW;
        let mut ids = HashSet::new();
        let mut chats: HashMap<Jid, usize> = HashMap::new();
        for open in self.open.values() {
            *chats.entry(open.row.to.jid.clone()).or_default() += 1;
        }
        for row in rows {
            let outbox_row: OutboxRow = rows::value(row)?;
            ids.insert(outbox_row.whatsapp_id.clone());
            if self.settle.is_zero() || age(outbox_row.accepted_at, clock) > LATE {
                self.last = Some(row.key.sort.clone());
            }
            if self.done.contains_key(&outbox_row.whatsapp_id) || self.open.contains_key(&row.key.sort) {
                continue;
            }
            let chat = chats.entry(outbox_row.to.jid.clone()).or_default();
            if *chat >= PER_CHAT_MAX || self.held_back.contains(&outbox_row.to.jid) {
                self.held_back.insert(outbox_row.to.jid);
                continue;
            }
            *chat += 1;
            self.open.insert(row.key.sort.clone(), Open { key: row.key.clone(), row: outbox_row });
        }
        Ok(ids)
    }

    /// True when a chat that was held back has nothing left here: it is time to read from the beginning.
    pub(crate) fn wants_reading(&self) -> bool {
        let waiting: HashSet<&Jid> = self.open.values().map(|open| &open.row.to.jid).collect();
        self.held_back.iter().any(|chat| !waiting.contains(chat))
    }

    /// The row behind which to read on; `None` when the window is full for now.
    pub(crate) fn read_on_after(&self) -> Option<Option<String>> {
        (self.open.len() < WINDOW).then(|| self.last.clone())
    }

    /// True when the window has room for rows that were seen to be there.
    pub(crate) fn wants_more(&self) -> bool {
        self.more && self.open.len() < IN_FLIGHT_MAX * 2
    }

    /// The rows whose time is over, taken out. What is on its way is left: WhatsApp may have it.
    pub(crate) fn take_expired(&mut self, now: Timestamp) -> Vec<Open> {
        let over =
            |open: &Open| open.row.expires_at <= now && !self.in_flight.contains_key(&open.row.whatsapp_id);
        let sorts: Vec<String> =
            self.open.iter().filter(|(_, open)| over(open)).map(|(sort, _)| sort.clone()).collect();
        sorts.iter().filter_map(|sort| self.take(sort)).collect()
    }

    /// What may be sent now, in order, marked as on its way.
    pub(crate) fn next(&mut self, now: Instant, clock: Timestamp) -> Vec<Open> {
        self.settled_at = None;
        let mut busy: HashSet<&Jid> = self.in_flight.values().map(|flight| &flight.chat).collect();
        busy.extend(self.paused.iter().filter(|(_, (_, until))| *until > now).map(|(chat, _)| chat));
        let room = IN_FLIGHT_MAX.saturating_sub(self.in_flight.len());
        let mut chosen = Vec::new();
        for open in self.open.values() {
            if chosen.len() == room {
                break;
            }
            if !busy.insert(&open.row.to.jid) || open.row.expires_at <= clock {
                continue;
            }
            match self.settle.saturating_sub(age(open.row.accepted_at, clock)) {
                Duration::ZERO => chosen.push(open.clone()),
                left => {
                    let at = now + left;
                    self.settled_at = Some(self.settled_at.map_or(at, |first| first.min(at)));
                },
            }
        }
        for open in &chosen {
            if let Some(id) = open.row.operation_id() {
                if self.operations.len() >= OPERATIONS_MAX {
                    self.operations.pop_front();
                }
                self.operations.push_back(id.to_owned());
            }
            let flight = InFlight { chat: open.row.to.jid.clone(), until: now + ACK_TIMEOUT };
            self.in_flight.insert(open.row.whatsapp_id.clone(), flight);
        }
        chosen
    }

    /// WhatsApp acknowledged it: it is taken out. Also one that was given up before: WhatsApp's word stands above ours.
    /// `None` when it was not waited for.
    pub(crate) fn acknowledged(&mut self, whatsapp_id: &str) -> Option<Taken> {
        self.refused(whatsapp_id).or_else(|| self.done.get(whatsapp_id).cloned())
    }

    /// WhatsApp refused it, or it cannot be sent: it is taken out. `None` when it was not waited for.
    pub(crate) fn refused(&mut self, whatsapp_id: &str) -> Option<Taken> {
        self.in_flight.remove(whatsapp_id);
        let sort = self.open.iter().find(|(_, open)| open.row.whatsapp_id == whatsapp_id);
        let sort = sort.map(|(sort, _)| sort.clone())?;
        let open = self.take(&sort)?;
        self.paused.remove(&open.row.to.jid);
        Some(open.into())
    }

    /// Everything that is open.
    pub(crate) fn take_all(&mut self) -> Vec<Open> {
        self.in_flight.clear();
        let sorts: Vec<String> = self.open.keys().cloned().collect();
        sorts.iter().filter_map(|sort| self.take(sort)).collect()
    }

    fn take(&mut self, sort: &str) -> Option<Open> {
        let open = self.open.remove(sort)?;
        self.done.insert(open.row.whatsapp_id.clone(), open.clone().into());
        Some(open)
    }

    /// The send failed before it left: it is tried again after a pause.
    pub(crate) fn not_sent(&mut self, whatsapp_id: &str, now: Instant) {
        if let Some(flight) = self.in_flight.remove(whatsapp_id) {
            let (failures, until) = self.paused.entry(flight.chat).or_insert((0, now));
            *until = now + SEND_PAUSE.saturating_mul(1 << (*failures).min(10)).min(SEND_PAUSE_MAX);
            *failures += 1;
        }
    }

    /// Nobody answered in time: these are sent again with the same id.
    pub(crate) fn time_out(&mut self, now: Instant) {
        self.in_flight.retain(|_, flight| flight.until > now);
    }

    /// The socket is gone: all that was on its way is sent again.
    pub(crate) fn disconnected(&mut self) {
        self.in_flight.clear();
        self.paused.clear();
    }

    /// When to look again by itself: at the next time-out or the end of a pause.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        let flights = self.in_flight.values().map(|flight| flight.until);
        let pauses = self.paused.values().map(|(_, until)| *until).filter(|until| *until > now);
        flights.chain(pauses).chain(self.settled_at).min()
    }
}

/// How long ago it was accepted. Where the acceptor's clock is ahead of ours it counts as new.
fn age(accepted_at: Timestamp, clock: Timestamp) -> Duration {
    Duration::try_from(clock.duration_since(accepted_at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_app::processes::OutboxPayload;
    use waxwing_domain::{Content, MessageId, Person, Secret, Text};

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn row(order: u64, chat: &str) -> Row {
        let value = OutboxRow {
            message_id: MessageId::new(order, [0; 10]),
            whatsapp_id: format!("ID{order}"),
            to: Person::from_jid(Jid::parse(&format!("{chat}@s.whatsapp.net")).unwrap()),
            payload: OutboxPayload::Message {
                content: Content::Text { text: Text("x".into()), link_preview: true },
                context: Box::default(),
            },
            message_secret: Secret(String::new()),
            accepted_at: Timestamp::from_millisecond(order as i64).unwrap(),
            expires_at: Timestamp::from_second(order as i64).unwrap(),
        };
        rows::row(Key::new("outbox", format!("{order:020}")), 1, &value).unwrap()
    }

    fn ids(open: &[Open]) -> Vec<&str> {
        open.iter().map(|open| open.row.whatsapp_id.as_str()).collect()
    }

    #[test]
    fn one_message_of_a_chat_is_on_its_way_and_the_next_follows_its_acknowledgement() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.read(&[row(1, "15550001111"), row(2, "15550001111"), row(3, "15550002222")], START).unwrap();
        assert_eq!(ids(&outbox.next(now, START)), ["ID1", "ID3"]);
        assert!(outbox.next(now, START).is_empty());
        assert!(outbox.acknowledged("ID1").is_some());
        assert_eq!(ids(&outbox.next(now, START)), ["ID2"]);
        assert!(outbox.acknowledged("unknown").is_none());
    }

    #[test]
    fn an_earlier_message_that_comes_late_goes_first() {
        let (mut outbox, now) = (Outbox::new(Duration::from_millis(300)), Instant::now());
        let clock = |ms| Timestamp::from_millisecond(ms).unwrap();
        let (late, early, other) =
            (row(5_100, "15550001111"), row(5_000, "15550001111"), row(10, "15550002222"));
        outbox.read(&[other, late.clone()], clock(5_150)).unwrap();
        assert_eq!(ids(&outbox.next(now, clock(5_150))), ["ID10"]);
        assert_eq!(outbox.wake_at(now), Some(now + Duration::from_millis(250)));
        // The next hint reads it, though it stands before what was read.
        let after = outbox.read_on_after().unwrap();
        assert_eq!(after.as_deref(), Some(format!("{:020}", 10).as_str()));
        outbox.read_on(&[early, late], clock(5_250)).unwrap();
        assert!(outbox.next(now, clock(5_250)).is_empty());
        assert_eq!(ids(&outbox.next(now, clock(5_400))), ["ID5000"]);
    }

    #[test]
    fn a_chat_that_does_not_move_leaves_room_for_the_others() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        let mut rows: Vec<Row> = (1..=100).map(|order| row(order, "15550001111")).collect();
        rows.push(row(101, "15550002222"));
        outbox.read(&rows, START).unwrap();
        assert_eq!(ids(&outbox.next(now, START)), ["ID1", "ID101"]);
        assert_eq!(outbox.open.len(), PER_CHAT_MAX + 1);
        // A later row of the chat must not overtake those that were left out.
        outbox.read_on(&[row(102, "15550001111")], START).unwrap();
        for order in 1..=PER_CHAT_MAX {
            assert!(!outbox.wants_reading());
            outbox.acknowledged(&format!("ID{order}"));
            outbox.next(now, START);
        }
        assert!(outbox.wants_reading());
        outbox.read(&rows, START).unwrap();
        assert_eq!(ids(&outbox.next(now, START)), ["ID17"]);
    }

    #[test]
    fn a_late_acknowledgement_of_what_was_given_up_counts() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.read(&[row(1, "15550001111")], START).unwrap();
        outbox.next(now, START);
        outbox.time_out(now + ACK_TIMEOUT);
        assert_eq!(ids(&outbox.take_expired(Timestamp::from_second(5).unwrap())), ["ID1"]);
        assert!(outbox.next(now, START).is_empty());
        assert!(outbox.acknowledged("ID1").is_some());
        assert!(outbox.refused("ID1").is_none());
    }

    #[test]
    fn an_acknowledged_row_that_still_stands_there_is_not_sent_again() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.read(&[row(1, "15550001111")], START).unwrap();
        outbox.next(now, START);
        outbox.acknowledged("ID1");
        outbox.read(&[row(1, "15550001111"), row(2, "15550001111")], START).unwrap();
        assert_eq!(ids(&outbox.next(now, START)), ["ID2"]);
        outbox.read(&[row(2, "15550001111")], START).unwrap();
        assert!(outbox.done.is_empty());
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_in_order() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.read(&[row(1, "15550001111"), row(2, "15550001111")], START).unwrap();
        outbox.next(now, START);
        outbox.time_out(now + ACK_TIMEOUT);
        assert_eq!(ids(&outbox.next(now, START)), ["ID1"]);
        outbox.disconnected();
        assert_eq!(ids(&outbox.next(now, START)), ["ID1"]);
    }

    #[test]
    fn a_failed_send_pauses_its_chat_only() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.read(&[row(1, "15550001111"), row(2, "15550002222")], START).unwrap();
        outbox.next(now, START);
        outbox.not_sent("ID1", now);
        outbox.acknowledged("ID2");
        assert!(outbox.next(now, START).is_empty());
        assert_eq!(ids(&outbox.next(now + SEND_PAUSE, START)), ["ID1"]);
    }

    #[test]
    fn what_is_over_is_taken_out_unless_it_is_on_its_way() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.read(&[row(1, "15550001111"), row(2, "15550001111"), row(9, "15550001111")], START).unwrap();
        outbox.next(now, START);
        let expired = outbox.take_expired(Timestamp::from_second(5).unwrap());
        assert_eq!(ids(&expired), ["ID2"]);
    }
}
