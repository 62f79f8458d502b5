//! Which of several hosts a session belongs to. Nobody decides it: whoever knows which hosts live comes to the same answer.

use sha2::{Digest, Sha256};
use waxwing_domain::SessionId;

use crate::{
    keys,
    ports::{Bounds, PortError, Query, Records},
    rows,
    views::HostView,
};

/// Hosts of one deployment.
const HOSTS_MAX: usize = 1_000;

/// The hosts that live.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fleet {
    hosts: Vec<(String, HostView)>,
}

impl Fleet {
    /// Those whose heart beats now.
    pub async fn read(records: &dyn Records) -> Result<Self, PortError> {
        let (partition, bounds) = (keys::hosts(), Bounds::default());
        let query = Query { index: 0, partition, bounds, descending: false, limit: HOSTS_MAX };
        let rows = records.query(query).await?;
        let hosts = rows.iter().map(|row| Ok((row.key.sort.clone(), rows::value(row)?)));
        Ok(Self { hosts: hosts.collect::<Result<_, PortError>>()? })
    }

    /// The host where the session belongs; `None` while no host takes any. By rendezvous hashing (Thaler and Ravishankar,
    /// 1998): of N hosts each has about one Nth, and when a host joins or leaves nothing moves but what it gains or had.
    pub fn home(&self, session: SessionId) -> Option<(&str, &HostView)> {
        let session = session.to_string();
        let weight =
            |host: &str| Sha256::new().chain_update(host).chain_update([0]).chain_update(&session).finalize();
        let open = self.hosts.iter().filter(|(_, view)| !view.draining);
        open.max_by_key(|(name, _)| weight(name)).map(|(name, view)| (name.as_str(), view))
    }

    /// Whether WhatsApp refused the client at another host than this one.
    pub fn is_outdated_beside(&self, me: &str) -> bool {
        self.hosts.iter().any(|(name, view)| name != me && view.outdated)
    }

    /// Which hosts take sessions. The same ones send every session to the same place.
    pub fn open(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().filter(|(_, view)| !view.draining).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn fleet(names: &[&str], draining: &str) -> Fleet {
        let view = |name: &&str| HostView {
            address: String::new(),
            sessions: 0,
            draining: *name == draining,
            outdated: false,
        };
        Fleet { hosts: names.iter().map(|name| ((*name).to_owned(), view(name))).collect() }
    }

    fn homes(fleet: &Fleet) -> Vec<String> {
        let sessions = (0..2_000_u16).map(|number| SessionId::derived(1, &[&number.to_be_bytes()]));
        sessions.map(|session| fleet.home(session).unwrap().0.to_owned()).collect()
    }

    #[test]
    fn hosts_share_evenly_and_only_what_must_move_moves() {
        let three = homes(&fleet(&["a", "b", "c"], ""));
        let mut shares = BTreeMap::<&str, usize>::new();
        for home in &three {
            *shares.entry(home).or_default() += 1;
        }
        assert!(shares.len() == 3 && shares.values().all(|share| (500..850).contains(share)), "{shares:?}");

        let four = homes(&fleet(&["a", "b", "c", "d"], ""));
        for (before, after) in three.iter().zip(&four) {
            assert!(before == after || after == "d", "{before} to {after}");
        }
        let moved = three.iter().zip(&four).filter(|(before, after)| before != after).count();
        assert!((350..650).contains(&moved), "{moved}");
    }

    #[test]
    fn a_host_that_drains_is_nobodys_home() {
        assert_eq!(homes(&fleet(&["a", "b", "c"], "c")), homes(&fleet(&["a", "b"], "")));
        assert!(fleet(&["a"], "a").home(SessionId::derived(1, &[b"s"])).is_none());
    }
}
