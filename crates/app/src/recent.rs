//! What a process has read lately, kept for a moment: who calls, and what is switched off, is asked with each request and changes
//! seldom. What another process changes is not seen meanwhile, so who calls is remembered only where there is no other.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use waxwing_domain::{
    AccountId, Aggregate, account::Account, api_key::ApiKey, feature::Features, user::User,
};

/// How long a state counts as recent. What another process changes is seen after this time; what this one changes, at once.
pub const RECENT: SignedDuration = SignedDuration::from_secs(1);
/// Most states at the same time. When a half is used up, or all are too old, those are forgotten that nobody has read since the
/// last time: hashes and secrets of users do not stay in memory.
const STATES_MAX: usize = 20_000;
/// The aggregates that are kept: those that say who calls, and what is switched off.
const KINDS: [&str; 4] = [Account::TYPE, ApiKey::TYPE, Features::TYPE, User::TYPE];

/// Kind, account, id.
pub(crate) type Name = (&'static str, AccountId, String);

struct State {
    value: Arc<dyn Any + Send + Sync>,
    read_at: Timestamp,
}

/// Two generations: whatever is read is young, and when there are too many young ones the old are forgotten.
#[derive(Default)]
struct States {
    young: HashMap<Name, State>,
    old: HashMap<Name, State>,
    turned_at: Timestamp,
    changes: u64,
}

/// States that this process has read lately.
#[derive(Default)]
pub(crate) struct Recent {
    states: Mutex<States>,
}

impl fmt::Debug for Recent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Recent").finish_non_exhaustive()
    }
}

impl Recent {
    /// A state that is recent enough, or else the number of changes so far, to be given to [`Recent::keep`] with the state
    /// that is read now.
    pub(crate) fn get<T: Send + Sync + 'static>(&self, name: &Name, now: Timestamp) -> Result<Arc<T>, u64> {
        let mut states = self.states();
        states.turn(now);
        if let Some(state) = states.old.remove(name) {
            states.young.insert(name.clone(), state);
        }
        let state = states.young.get(name).filter(|state| is_recent(state.read_at, now));
        let value = state.and_then(|state| state.value.clone().downcast().ok());
        value.ok_or(states.changes)
    }

    /// Keeps what was read, unless something was changed meanwhile: then it may be old already.
    pub(crate) fn keep<T: Send + Sync + 'static>(
        &self,
        name: Name,
        value: Arc<T>,
        (read_at, changes): (Timestamp, u64),
    ) {
        let mut states = self.states();
        if states.changes == changes {
            states.turn(read_at);
            states.young.insert(name, State { value, read_at });
        }
    }

    /// This process has, or may have, changed it.
    pub(crate) fn forget(&self, kind: &'static str, account: AccountId, id: &str) {
        if KINDS.contains(&kind) {
            let (mut states, name) = (self.states(), (kind, account, id.to_owned()));
            states.changes += 1;
            states.young.remove(&name);
            states.old.remove(&name);
        }
    }

    fn states(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl States {
    fn turn(&mut self, now: Timestamp) {
        if self.young.len() >= STATES_MAX / 2 || !is_recent(self.turned_at, now) {
            self.old = std::mem::take(&mut self.young);
            self.old.retain(|_, state| is_recent(state.read_at, now));
            self.turned_at = now;
        }
    }
}

/// A clock that went back makes nothing recent for longer.
fn is_recent(read_at: Timestamp, now: Timestamp) -> bool {
    (SignedDuration::ZERO..RECENT).contains(&now.duration_since(read_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn name(kind: &'static str, id: usize) -> Name {
        (kind, AccountId::SYSTEM, id.to_string())
    }

    fn read(recent: &Recent, name: &Name, now: Timestamp) -> Option<usize> {
        recent.get(name, now).ok().map(|value: Arc<usize>| *value)
    }

    fn keep(recent: &Recent, name: &Name, value: usize, read_at: Timestamp) {
        let changes = recent.get::<usize>(name, read_at).unwrap_err();
        recent.keep(name.clone(), Arc::new(value), (read_at, changes));
    }

    #[test]
    fn a_state_is_recent_for_a_second_and_not_before_it_was_read() {
        let (recent, key) = (Recent::default(), name(ApiKey::TYPE, 1));
        keep(&recent, &key, 7, at(5_000));
        let seen = [5_000, 5_999, 6_000].map(|ms| read(&recent, &key, at(ms)));
        assert_eq!(seen, [Some(7), Some(7), None]);
        keep(&recent, &key, 7, at(6_000));
        assert_eq!(read(&recent, &key, at(5_999)), None);
    }

    #[test]
    fn what_changes_is_forgotten_also_while_it_is_read() {
        let (recent, key, now) = (Recent::default(), name(ApiKey::TYPE, 1), at(0));
        keep(&recent, &key, 7, now);
        recent.forget(ApiKey::TYPE, AccountId::SYSTEM, "1");
        assert_eq!(read(&recent, &key, now), None);
        let changes = recent.get::<usize>(&key, now).unwrap_err();
        recent.forget(ApiKey::TYPE, AccountId::SYSTEM, "1");
        recent.keep(key.clone(), Arc::new(7_usize), (now, changes));
        assert_eq!(read(&recent, &key, now), None, "read before the change, and told after it");
        // Messages change all the time, and nobody asks them who calls.
        keep(&recent, &key, 8, now);
        recent.forget("message", AccountId::SYSTEM, "1");
        assert_eq!(read(&recent, &key, now), Some(8));
    }

    #[test]
    fn what_nobody_reads_does_not_stay() {
        let recent = Recent::default();
        keep(&recent, &name(User::TYPE, 1), 7, at(0));
        for second in 1..3 {
            keep(&recent, &name(User::TYPE, 2), 8, at(second * 1_000));
        }
        let states = recent.states();
        let all = states.young.keys().chain(states.old.keys());
        assert!(all.clone().count() > 0 && all.clone().all(|(_, _, id)| id == "2"));
    }

    #[test]
    fn states_have_a_limit_and_those_that_are_read_stay() {
        let (recent, now, often) = (Recent::default(), at(0), name(Account::TYPE, 0));
        keep(&recent, &often, 0, now);
        for id in 1..=2 * STATES_MAX {
            keep(&recent, &name(ApiKey::TYPE, id), id, now);
            assert_eq!(read(&recent, &often, now), Some(0));
        }
        let states = recent.states();
        assert!(states.young.len() + states.old.len() <= STATES_MAX);
    }
}
