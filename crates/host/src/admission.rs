//! Reconnects are admitted at a bounded rate, so that a restart does not storm the network.

use std::time::Duration;

use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};
use waxwing_app::ports::{Entropy, EntropyExt};

/// How long nobody connects after the network refused this version of the client. It will refuse the others, too.
const HELD: Duration = Duration::from_secs(300);

/// Lets connections through one after the other.
pub(crate) struct Admission {
    interval: Duration,
    next: Mutex<Instant>,
    held: watch::Sender<Held>,
}

/// Why nobody is let through.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    /// A session of this host was refused; until then.
    until: Option<Instant>,
    /// One of another host was.
    elsewhere: bool,
}

impl Held {
    fn here(self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

impl Admission {
    /// `per_s` connections each second.
    pub(crate) fn new(per_s: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_s.max(1),
            next: Mutex::new(Instant::now()),
            held: watch::Sender::default(),
        }
    }

    /// Lets nobody through for some minutes. False when it did so already.
    pub(crate) fn hold(&self) -> bool {
        let news = !self.is_held();
        self.held.send_modify(|held| held.until = Some(Instant::now() + HELD));
        news
    }

    /// Somebody wants to try.
    pub(crate) fn release(&self) {
        self.held.send_modify(|held| held.until = None);
    }

    /// Whether a session of this host was refused.
    pub(crate) fn is_held_here(&self) -> bool {
        self.held.borrow().here()
    }

    /// Other hosts hold their sessions, or no longer. True when it is news that they do.
    pub(crate) fn others_hold(&self, hold: bool) -> bool {
        let changed = self.held.send_if_modified(|held| std::mem::replace(&mut held.elsewhere, hold) != hold);
        changed && hold
    }

    /// Whether nobody is let through.
    pub(crate) fn is_held(&self) -> bool {
        let held = *self.held.borrow();
        held.here() || held.elsewhere
    }

    /// Returns when the caller may connect.
    pub(crate) async fn admitted(&self) {
        loop {
            self.not_held().await;
            let slot = {
                let mut next = self.next.lock().await;
                let slot = (*next).max(Instant::now());
                *next = slot + self.interval;
                slot
            };
            tokio::time::sleep_until(slot).await;
            // Somebody may have been refused meanwhile.
            if !self.is_held() {
                return;
            }
        }
    }

    async fn not_held(&self) {
        let mut held = self.held.subscribe();
        loop {
            let now = *held.borrow_and_update();
            match now.until.filter(|_| now.here()) {
                None if !now.elsewhere => return,
                // The sender is this value's own: it does not go.
                None => drop(held.changed().await),
                Some(until) => tokio::select! {
                    () = tokio::time::sleep_until(until) => {}
                    _ = held.changed() => {}
                },
            }
        }
    }
}

/// First pause after a dropped connection; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// How long to wait before the next try: doubling, with half of it random.
pub(crate) fn backoff(failures: u32, entropy: &dyn Entropy) -> Duration {
    let full = BACKOFF_MIN.saturating_mul(1 << failures.min(10)).min(BACKOFF_MAX);
    let [random] = entropy.bytes::<1>();
    full / 2 + full / 2 * u32::from(random) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Constant(u8);

    impl Entropy for Constant {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn pauses_grow_to_a_limit_and_vary_by_half() {
        assert_eq!(backoff(0, &Constant(255)), BACKOFF_MIN);
        assert_eq!(backoff(0, &Constant(0)), BACKOFF_MIN / 2);
        assert!(backoff(3, &Constant(0)) > backoff(1, &Constant(255)));
        assert_eq!(backoff(u32::MAX, &Constant(255)), BACKOFF_MAX);
    }
}
