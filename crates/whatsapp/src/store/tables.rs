//! The state in memory, and the log of what changed in it.

use std::collections::{BTreeMap, HashMap, HashSet};

use waxwing_domain::Timestamp;

use super::kind::Kind;

/// One change of a row.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) kind: Kind,
    pub(crate) key: Box<str>,
    /// The new value; `None` removes the row.
    pub(crate) value: Option<Box<[u8]>>,
    pub(crate) expires_at: Option<Timestamp>,
}

/// All rows of a session, decrypted.
#[derive(Default)]
pub(crate) struct Tables {
    rows: HashMap<Kind, HashMap<Box<str>, Box<[u8]>>>,
    /// The newest hidden user of each phone number.
    lid_by_phone: HashMap<Box<str>, Box<str>>,
    /// Changes of the current call.
    log: Vec<Change>,
    /// Changes that may wait for the next durable write: nothing depends on them before.
    waiting: BTreeMap<(Kind, Box<str>), Change>,
    /// Pending messages that were handed to the writer, or were loaded: their removal has to be written.
    handed_over: HashSet<Box<str>>,
    /// A task sees that what waits becomes durable also where no other write follows.
    pub(crate) lingers: bool,
    /// Calls that were handed to the writer and are not durable yet.
    pub(crate) in_flight: usize,
}

impl Tables {
    pub(crate) fn get(&self, kind: Kind, key: &str) -> Option<&[u8]> {
        self.rows.get(&kind)?.get(key).map(AsRef::as_ref)
    }

    pub(crate) fn contains(&self, kind: Kind, key: &str) -> bool {
        self.get(kind, key).is_some()
    }

    pub(crate) fn iter(&self, kind: Kind) -> impl Iterator<Item = (&str, &[u8])> {
        self.rows.get(&kind).into_iter().flatten().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    pub(crate) fn len(&self, kind: Kind) -> usize {
        self.rows.get(&kind).map_or(0, HashMap::len)
    }

    /// Puts a row. Putting what is there already changes nothing and costs nothing.
    pub(crate) fn put(&mut self, kind: Kind, key: &str, value: impl Into<Box<[u8]>>) {
        self.put_until(kind, key, value, None);
    }

    /// Puts a row that the engine may remove after `expires_at`.
    pub(crate) fn put_until(
        &mut self,
        kind: Kind,
        key: &str,
        value: impl Into<Box<[u8]>>,
        expires_at: Option<Timestamp>,
    ) {
        let value = value.into();
        if self.get(kind, key).is_some_and(|known| *known == *value) {
            return;
        }
        self.load(kind, key, value.clone());
        self.log.push(Change { kind, key: key.into(), value: Some(value), expires_at });
    }

    /// Removes a row.
    pub(crate) fn remove(&mut self, kind: Kind, key: &str) -> Option<Box<[u8]>> {
        let value = self.forget(kind, key)?;
        self.log.push(Change { kind, key: key.into(), value: None, expires_at: None });
        Some(value)
    }

    /// Removes a row from memory only: the engine removes it by its time.
    pub(crate) fn forget(&mut self, kind: Kind, key: &str) -> Option<Box<[u8]>> {
        let rows = self.rows.get_mut(&kind)?;
        let value = rows.remove(key);
        if rows.is_empty() {
            self.rows.remove(&kind);
        }
        value
    }

    /// Removes rows from memory only, and says how many.
    pub(crate) fn forget_where(&mut self, kind: Kind, mut gone: impl FnMut(&[u8]) -> bool) -> u32 {
        let Some(rows) = self.rows.get_mut(&kind) else { return 0 };
        let before = rows.len();
        rows.retain(|_, value| !gone(value));
        u32::try_from(before - rows.len()).unwrap_or(u32::MAX)
    }

    /// Takes a row over from the engine.
    pub(crate) fn restore(&mut self, kind: Kind, key: &str, value: Box<[u8]>) {
        if kind == Kind::PendingInbound {
            self.handed_over.insert(key.into());
        }
        self.load(kind, key, value);
    }

    /// Changes memory only.
    fn load(&mut self, kind: Kind, key: &str, value: Box<[u8]>) {
        self.rows.entry(kind).or_default().insert(key.into(), value);
    }

    /// Puts a row that becomes durable in or before the next durable write that follows. Putting what is there already
    /// changes nothing.
    pub(crate) fn put_waiting(
        &mut self,
        kind: Kind,
        key: &str,
        value: Box<[u8]>,
        expires_at: Option<Timestamp>,
    ) {
        if self.get(kind, key).is_some_and(|known| *known == *value) {
            return;
        }
        self.load(kind, key, value.clone());
        let change = Change { kind, key: key.into(), value: Some(value), expires_at };
        self.waiting.insert((kind, key.into()), change);
    }

    /// Removes a pending message with the next durable write. A put that still waits is cancelled and never written.
    pub(crate) fn remove_pending(&mut self, key: &str) {
        let kind = Kind::PendingInbound;
        if self.forget(kind, key).is_none() {
            return;
        }
        self.waiting.remove(&(kind, key.into()));
        if self.handed_over.contains(key) {
            let change = Change { kind, key: key.into(), value: None, expires_at: None };
            self.waiting.insert((kind, key.into()), change);
        }
    }

    pub(crate) fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    /// The changes of the current call, behind those that waited for it. Empty when the call changed nothing, unless
    /// `everything` is wanted.
    pub(crate) fn take_log(&mut self, everything: bool) -> Vec<Change> {
        if self.log.is_empty() && !everything {
            return Vec::new();
        }
        let mut changes: Vec<Change> = std::mem::take(&mut self.waiting).into_values().collect();
        for change in changes.iter().filter(|change| change.kind == Kind::PendingInbound) {
            match change.value {
                Some(_) => self.handed_over.insert(change.key.clone()),
                None => self.handed_over.remove(&change.key),
            };
        }
        changes.append(&mut self.log);
        changes
    }

    pub(crate) fn lid_of(&self, phone: &str) -> Option<&str> {
        self.lid_by_phone.get(phone).map(AsRef::as_ref)
    }

    pub(crate) fn set_lid_of(&mut self, phone: &str, lid: &str) {
        self.lid_by_phone.insert(phone.into(), lid.into());
    }

    pub(crate) fn clear_lid_of(&mut self, phone: &str, lid: &str) {
        if self.lid_of(phone) == Some(lid) {
            self.lid_by_phone.remove(phone);
        }
    }
}
