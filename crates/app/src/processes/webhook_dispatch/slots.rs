//! Which deliveries are under way, and which wait for their endpoint: one that does not answer holds up its own
//! deliveries and nobody else's.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;
use waxwing_domain::WebhookEndpointId;

use super::super::WebhookJob;
use crate::ports::Job;

/// Deliveries under way at once.
pub(super) const IN_FLIGHT_MAX: usize = 128;
/// Deliveries under way to one endpoint at once. A receiver that needs 50 ms for each gets 320 a second, and eight that
/// do not answer at all take all slots.
pub(super) const PER_ENDPOINT_MAX: u32 = 16;
/// Leased deliveries that wait here. More are leased when half of them are gone.
const WAITING_MAX: usize = 512;
/// How long a delivery waits here at most. One whose endpoint needs longer to get to it goes back into the queue, so that
/// those of other endpoints behind it are seen.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// An endpoint that owes no answer for so long is quick: what waits for it stays, however much it is, since all that is
/// held here is delivered before its leases end.
const QUICK: Duration = Duration::from_millis(500);
/// How long a delivery that went back stays away at most: the endpoint may have got better meanwhile.
const AWAY_MAX: Duration = Duration::from_secs(60);

/// A leased delivery.
#[derive(Debug)]
pub(super) struct Leased {
    pub(super) job: Job,
    pub(super) named: WebhookJob,
}

/// The deliveries of one endpoint.
#[derive(Default)]
struct Line {
    /// When those under way began.
    under_way: Vec<Instant>,
    /// Those that wait, and since when.
    waiting: VecDeque<(Leased, Instant)>,
    /// Until when the endpoint is busy with what went back.
    booked_until: Option<Instant>,
}

impl Line {
    /// Since when it has owed an answer for the longest.
    fn owes_since(&self) -> Option<Instant> {
        self.under_way.iter().min().copied()
    }

    /// By when to look whether something waits for too long; `None` while nothing can.
    fn look_at(&self) -> Option<Instant> {
        let (_, since) = self.waiting.front()?;
        Some((*since + WAIT_MAX).max(self.owes_since()? + QUICK))
    }

    /// How long the endpoint needs for each delivery with all its slots, going by the one whose answer it has owed for the
    /// longest time. So one that answers again is not held to how slow it was.
    fn pace(&self, now: Instant) -> Duration {
        let owed = self.owes_since().map_or(Duration::ZERO, |began| now.duration_since(began));
        owed / PER_ENDPOINT_MAX
    }

    fn has_slot(&self) -> bool {
        self.under_way.len() < PER_ENDPOINT_MAX as usize
    }

    /// Takes out what would wait for too long, each with the time after which the endpoint should get to it.
    fn late(&mut self, now: Instant) -> Vec<(Leased, Duration)> {
        if self.owes_since().is_none_or(|began| now.duration_since(began) < QUICK) {
            return Vec::new();
        }
        let (pace, count) = (self.pace(now), u32::try_from(self.waiting.len()).unwrap_or(u32::MAX));
        let in_time =
            |since: Instant, before: u32| now.duration_since(since) + pace.saturating_mul(before) < WAIT_MAX;
        if self.waiting.front().is_none_or(|(_, since)| in_time(*since, count)) {
            return Vec::new();
        }
        let (mut kept, mut late) = (0, Vec::new());
        for (leased, since) in std::mem::take(&mut self.waiting) {
            if in_time(since, kept + 1) {
                kept += 1;
                self.waiting.push_back((leased, since));
                continue;
            }
            let free = self.booked_until.unwrap_or(now).max(now + pace.saturating_mul(kept)) + pace;
            let free = free.clamp(now + WAIT_MAX, now + AWAY_MAX);
            self.booked_until = Some(free);
            late.push((leased, free - now));
        }
        late
    }
}

/// All deliveries that this process has leased.
#[derive(Default)]
pub(super) struct Slots {
    lines: HashMap<WebhookEndpointId, Line>,
    under_way: usize,
    waiting: usize,
}

impl Slots {
    /// How many more to lease.
    pub(super) fn room(&self) -> usize {
        match self.under_way < IN_FLIGHT_MAX && self.waiting <= WAITING_MAX / 2 {
            true => WAITING_MAX - self.waiting,
            false => 0,
        }
    }

    /// A delivery was leased.
    pub(super) fn wait(&mut self, leased: Leased, now: Instant) {
        self.waiting += 1;
        self.lines.entry(leased.named.endpoint).or_default().waiting.push_back((leased, now));
    }

    /// Those whose turn it is, from now on under way. The longest waiting come first.
    pub(super) fn start(&mut self, now: Instant) -> Vec<Leased> {
        let mut started = Vec::new();
        while self.under_way < IN_FLIGHT_MAX {
            let ready = self.lines.values_mut().filter(|line| line.has_slot());
            let ready = ready.filter_map(|line| Some((line.waiting.front()?.1, line)));
            let Some((_, line)) = ready.min_by_key(|(since, _)| *since) else { break };
            let Some((leased, _)) = line.waiting.pop_front() else { break };
            line.under_way.push(now);
            (self.under_way, self.waiting) = (self.under_way + 1, self.waiting - 1);
            started.push(leased);
        }
        started
    }

    /// One that began then has ended.
    pub(super) fn ended(&mut self, endpoint: WebhookEndpointId, began: Instant, now: Instant) {
        let Some(line) = self.lines.get_mut(&endpoint) else { return };
        if let Some(place) = line.under_way.iter().position(|other| *other == began) {
            line.under_way.swap_remove(place);
            self.under_way -= 1;
        }
        self.lines.retain(|_, line| {
            let busy = !line.under_way.is_empty() || !line.waiting.is_empty();
            busy || line.booked_until.is_some_and(|until| until > now)
        });
    }

    /// Those that would wait for too long, each with the time after which its endpoint should get to it.
    pub(super) fn late(&mut self, now: Instant) -> Vec<(Leased, Duration)> {
        let late: Vec<_> = self.lines.values_mut().flat_map(|line| line.late(now)).collect();
        self.waiting -= late.len();
        late
    }

    /// By when to look again whether something waits for too long.
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.lines.values().filter_map(Line::look_at).min()
    }

    /// Everything that waits, taken out.
    pub(super) fn take_waiting(&mut self) -> Vec<Leased> {
        self.waiting = 0;
        let lines = self.lines.values_mut();
        lines.flat_map(|line| std::mem::take(&mut line.waiting)).map(|(leased, _)| leased).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::StreamName;
    use waxwing_domain::{AccountId, EventId};

    fn endpoint(number: u8) -> WebhookEndpointId {
        WebhookEndpointId::new(1, [number; 10])
    }

    fn leased(of: u8, number: usize) -> Leased {
        let job =
            Job { id: format!("{of}/{number}"), payload: String::new(), attempts: 1, lease: String::new() };
        let named = WebhookJob {
            account: AccountId::new(1, [1; 10]),
            stream: StreamName::new("message", number),
            version: 1,
            index: 0,
            part: 0,
            event_id: EventId::new(1, [1; 10]),
            endpoint: endpoint(of),
        };
        Leased { job, named }
    }

    /// Slots with so many deliveries to endpoint 1.
    fn waiting(count: usize, now: Instant) -> Slots {
        let mut slots = Slots::default();
        (0..count).for_each(|number| slots.wait(leased(1, number), now));
        slots
    }

    #[test]
    fn an_endpoint_takes_its_own_slots_only() {
        let now = Instant::now();
        let mut slots = waiting(100, now);
        slots.wait(leased(2, 0), now);
        let started = slots.start(now);
        let to = |of| started.iter().filter(|leased| leased.named.endpoint == endpoint(of)).count();
        assert_eq!((to(1), to(2)), (PER_ENDPOINT_MAX as usize, 1));
        assert!(slots.start(now).is_empty());
        slots.ended(endpoint(1), now, now);
        assert_eq!(slots.start(now).len(), 1);
    }

    #[test]
    fn a_full_line_of_a_quick_endpoint_stays() {
        let now = Instant::now();
        let mut slots = waiting(WAITING_MAX, now);
        slots.start(now);
        let later = now + Duration::from_millis(20);
        slots.ended(endpoint(1), now, later);
        slots.start(later);
        assert!(slots.late(later).is_empty());
        assert_eq!(slots.room(), 0, "it is leased no more than can be looked after");
    }

    #[test]
    fn what_waits_for_a_quick_endpoint_stays_however_long_it_waits() {
        let now = Instant::now();
        let mut slots = waiting(WAITING_MAX, now);
        let later = now + Duration::from_secs(5);
        slots.start(later);
        assert!(slots.late(later + Duration::from_millis(400)).is_empty());
        assert_eq!(slots.look_at(), Some(later + QUICK), "and nobody looks before something can be late");
    }

    #[test]
    fn what_would_wait_for_too_long_goes_back_and_is_due_at_the_pace_of_its_endpoint() {
        let now = Instant::now();
        let mut slots = waiting(200, now);
        slots.start(now);
        // Nobody answered for 800 ms: sixteen slots, so one every 50 ms at best.
        let later = now + Duration::from_millis(800);
        let late = slots.late(later);
        assert_eq!(late.len(), 200 - 16 - 3, "three would be begun within the second");
        let waits: Vec<Duration> = late.iter().map(|(_, after)| *after).collect();
        assert!(waits.is_sorted() && waits[0] >= WAIT_MAX && waits.iter().all(|wait| *wait <= AWAY_MAX));
        assert!(waits[waits.len() - 1] > Duration::from_secs(8), "{waits:?}");
        assert!(slots.room() > 0, "those behind are seen");
        // And in the end the rest goes back, too.
        assert_eq!(slots.look_at(), Some(now + WAIT_MAX));
        assert_eq!(slots.late(now + WAIT_MAX).len(), 3);
        assert_eq!(slots.look_at(), None);
    }

    #[test]
    fn what_is_over_leaves_nothing_behind() {
        let now = Instant::now();
        let mut slots = waiting(3, now);
        slots.start(now);
        (0..3).for_each(|_| slots.ended(endpoint(1), now, now));
        assert!(slots.lines.is_empty());
        assert_eq!((slots.under_way, slots.waiting), (0, 0));
        assert_eq!(slots.room(), WAITING_MAX);
    }
}
