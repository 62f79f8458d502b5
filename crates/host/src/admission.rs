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
    held_until: watch::Sender<Option<Instant>>,
}

impl Admission {
    /// `per_s` connections each second.
    pub(crate) fn new(per_s: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_s.max(1),
            next: Mutex::new(Instant::now()),
            held_until: watch::Sender::default(),
        }
    }

    /// Lets nobody through for some minutes. False when it did so already.
    pub(crate) fn hold(&self) -> bool {
        let news = !self.is_held();
        self.held_until.send_replace(Some(Instant::now() + HELD));
        news
    }

    /// Somebody wants to try.
    pub(crate) fn release(&self) {
        self.held_until.send_replace(None);
    }

    /// Whether nobody is let through.
    pub(crate) fn is_held(&self) -> bool {
        self.held_until.borrow().is_some_and(|until| Instant::now() < until)
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
        let mut held = self.held_until.subscribe();
        loop {
            let until = *held.borrow_and_update();
            match until.filter(|until| Instant::now() < *until) {
                None => return,
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
