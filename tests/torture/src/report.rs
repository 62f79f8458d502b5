//! What was found, and how it is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display, Formatter},
};

use crate::{Plan, blow::Blow};

/// Messages of one direction.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Messages {
    /// Accepted.
    pub accepted: usize,
    /// Of these, not there.
    pub lost: usize,
    /// There more than once.
    pub doubled: usize,
    /// Behind one of the same chat that was accepted later.
    pub out_of_order: usize,
    /// There, and never accepted.
    pub unknown: usize,
}

impl Messages {
    /// Compares the messages of one chat with what is there.
    pub(crate) fn look(&mut self, accepted: &[String], there: impl Iterator<Item = String>) {
        let place: BTreeMap<&str, usize> =
            accepted.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
        let (mut seen, mut last) = (BTreeSet::new(), None);
        for id in there {
            match place.get(id.as_str()).copied() {
                None => self.unknown += 1,
                Some(place) if !seen.insert(place) => self.doubled += 1,
                Some(place) => {
                    self.out_of_order += usize::from(last.is_some_and(|last| place < last));
                    last = last.max(Some(place));
                },
            }
        }
        self.accepted += accepted.len();
        self.lost += accepted.len() - seen.len();
    }

    fn is_well(&self) -> bool {
        (self.lost, self.doubled, self.out_of_order, self.unknown) == (0, 0, 0, 0)
    }
}

impl Display for Messages {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { accepted, lost, doubled, out_of_order, unknown } = self;
        write!(f, "{accepted} accepted, {lost} lost, {doubled} doubled, {out_of_order} out of order")?;
        if *unknown > 0 {
            write!(f, ", {unknown} unknown")?;
        }
        Ok(())
    }
}

/// What was found at the end.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Found {
    /// Accepted by the API, against the phones' inboxes.
    pub out: Messages,
    /// Sent by phones, against the API's list.
    pub inbound: Messages,
    /// Inbound messages that the receiver was not told of.
    pub untold: usize,
    /// Those it was told of under several ids.
    pub told_anew: usize,
    /// Webhooks whose signature or body was wrong.
    pub refused: usize,
    /// Messages that wait for ever.
    pub queued: usize,
    /// Sessions that did not come back.
    pub disconnected: usize,
}

impl Found {
    /// True when nothing is wrong.
    pub fn is_well(&self) -> bool {
        let rest = [self.untold, self.told_anew, self.refused, self.queued, self.disconnected];
        self.out.is_well() && self.inbound.is_well() && rest == [0; 5]
    }

    /// How much has not arrived yet.
    pub(crate) fn missing(&self) -> usize {
        self.out.lost + self.inbound.lost + self.untold + self.queued + self.disconnected
    }
}

/// What was done, and what was found.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was wanted.
    pub plan: Plan,
    /// How often what was done.
    pub blows: BTreeMap<Blow, usize>,
    /// What became of the messages.
    pub found: Found,
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { plan, blows, found } = self;
        writeln!(f, "seed {}, {} s, {} sessions", plan.seed, plan.lasts.as_secs(), plan.sessions)?;
        let blows: Vec<String> = blows.iter().map(|(blow, times)| format!("{blow:?} {times}")).collect();
        writeln!(f, "blows: {}", blows.join(", "))?;
        writeln!(f, "out: {}", found.out)?;
        writeln!(f, "in: {}", found.inbound)?;
        let Found { untold, told_anew, refused, queued, disconnected, .. } = found;
        writeln!(f, "webhooks: {untold} lost, {told_anew} under several ids, {refused} refused")?;
        write!(f, "stuck: {queued} messages, {disconnected} sessions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(there: &[&str]) -> Messages {
        let mut messages = Messages::default();
        let accepted = ["a", "b", "c"].map(str::to_owned);
        messages.look(&accepted, there.iter().map(|id| (*id).to_owned()));
        messages
    }

    #[test]
    fn what_is_wrong_is_counted() {
        let well = Messages { accepted: 3, ..Messages::default() };
        assert_eq!(looked(&["a", "b", "c"]), well);
        assert_eq!(looked(&["a", "c"]), Messages { lost: 1, ..well.clone() });
        assert_eq!(looked(&["a", "b", "b", "c"]), Messages { doubled: 1, ..well.clone() });
        assert_eq!(looked(&["b", "a", "c"]), Messages { out_of_order: 1, ..well.clone() });
        assert_eq!(looked(&["a", "b", "c", "d"]), Messages { unknown: 1, ..well.clone() });
        assert!(!looked(&["c", "a", "b"]).is_well() && well.is_well());
    }
}
