use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Streams that are remembered. Past it all are forgotten; each costs one small read to know again.
const STREAMS_MAX: usize = 10_000;

/// How far streams reach, as this process last saw them. They may reach further by now, and never less far.
#[derive(Default)]
pub(super) struct Heads {
    seen: Mutex<HashMap<String, u64>>,
}

impl Heads {
    /// The stream has a commit with this version.
    pub(super) fn saw(&self, partition: String, version: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= STREAMS_MAX {
            seen.clear();
        }
        let head = seen.entry(partition).or_default();
        *head = version.max(*head);
    }

    /// True when the stream is known to have a commit with this version.
    pub(super) fn reaches(&self, partition: &str, version: u64) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(partition).is_some_and(|head| *head >= version)
    }
}
