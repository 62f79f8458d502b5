//! Ids that are unique, and that grow within this process even inside one millisecond.

use std::sync::{Arc, Mutex, PoisonError};

use waxwing_domain::ids::RANDOM_LEN;

use crate::ports::{Clock, Entropy, EntropyExt};

/// Makes the time and the random part of new ids. Two ids made one after the other sort in that order.
pub struct IdSource {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    last: Mutex<(u64, [u8; RANDOM_LEN])>,
}

impl IdSource {
    /// A source on this clock and this randomness.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy, last: Mutex::new((0, [0; RANDOM_LEN])) }
    }

    /// The parts of the next id.
    pub fn parts(&self) -> (u64, [u8; RANDOM_LEN]) {
        let now_ms = u64::try_from(self.clock.now().as_millisecond()).unwrap_or(0);
        let mut random: [u8; RANDOM_LEN] = self.entropy.bytes();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ms <= last.0 {
            // Bytes 0 to 3 count within the millisecond, the rest is random. The top bits of byte 0 and byte 2 are
            // overwritten by the version and the variant of a UUID, so the counter uses bytes 3 to 5.
            let mut counter = u32::from_be_bytes([0, last.1[3], last.1[4], last.1[5]]);
            let ms = match counter {
                // After 16 million ids in one millisecond the next one is borrowed.
                0x00FF_FFFF => last.0 + 1,
                _ => last.0,
            };
            counter = counter.wrapping_add(1) & 0x00FF_FFFF;
            random[..3].copy_from_slice(&last.1[..3]);
            random[3..6].copy_from_slice(&counter.to_be_bytes()[1..]);
            *last = (ms, random);
        } else {
            // Half the counter's range stays free above a random start.
            random[3] &= 0x7F;
            *last = (now_ms, random);
        }
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_domain::{MessageId, Timestamp};

    struct Standing;

    impl Clock for Standing {
        fn now(&self) -> Timestamp {
            Timestamp::from_millisecond(1_800_000_000_000).unwrap()
        }
    }

    impl Entropy for Standing {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0xFF);
        }
    }

    #[test]
    fn ids_of_one_millisecond_sort_in_the_order_in_which_they_were_made() {
        let source = IdSource::new(Arc::new(Standing), Arc::new(Standing));
        let ids: Vec<String> = (0..10_000)
            .map(|_| {
                let (ms, random) = source.parts();
                MessageId::new(ms, random).to_string()
            })
            .collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }
}
