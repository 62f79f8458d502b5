//! The sessions of the whole installation, for the operator.

use futures::future::try_join_all;
use jiff::Timestamp;
use waxwing_domain::{AccountId, Network, session::SessionStatus};

use crate::{
    keys,
    ports::{Bounds, PortError, Query, Records, Row},
    rows,
    views::{Health, LiveSession, Placement, SessionView, Wanted},
};

/// Sessions that one call looks at, at most, where it looks for some of them. Of each two more rows are read.
const LOOKED_AT: usize = 500;
/// Sessions of which the rows are read side by side.
const AT_ONCE: usize = 50;

/// Which sessions are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionsFilter {
    /// Of this account.
    pub account: Option<AccountId>,
    /// In this status right now.
    pub status: Option<SessionStatus>,
    /// Of this network.
    pub network: Option<Network>,
}

/// A session as the operator sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionOfAll {
    /// The tenant.
    pub account: AccountId,
    /// What was recorded.
    pub view: SessionView,
    /// What it is doing, and why.
    pub status: (SessionStatus, Option<String>),
    /// How well it hears.
    pub health: Health,
    /// Which host holds it and since when; none while it is at rest, or between two hosts.
    pub host: Option<(String, Option<Timestamp>)>,
}

/// Some sessions by account and age, also those that are at rest, and behind which the next ones begin. Short, or empty, while
/// there is more: then few fit the filter.
pub async fn sessions_of_all(
    records: &dyn Records,
    filter: &SessionsFilter,
    limit: usize,
    after: Option<String>,
) -> Result<(Vec<SessionOfAll>, Option<String>), PortError> {
    // Hosts look after every session that is not deleted, whatever it should be doing: their list has them all.
    let bounds = match filter.account {
        Some(account) => {
            Bounds { after: after.max(Some(format!("{account}/"))), before: Some(format!("{account}/~")) }
        },
        None => Bounds { after, before: None },
    };
    let selects = filter.status.is_some() || filter.network.is_some();
    let wanted = if selects { LOOKED_AT } else { limit + 1 };
    let query = Query { index: 0, partition: keys::hosted(), bounds, descending: false, limit: wanted };
    let found = records.query(query).await?;
    let is_whole = found.len() < wanted;
    let (mut sessions, mut last) = (Vec::new(), None);
    for some in found.chunks(AT_ONCE) {
        let looked = try_join_all(some.iter().map(|row| looked_at(records, filter, row))).await?;
        for (row, session) in some.iter().zip(looked) {
            if sessions.len() == limit {
                return Ok((sessions, last));
            }
            last = Some(row.key.sort.clone());
            sessions.extend(session);
        }
    }
    Ok((sessions, last.filter(|_| !is_whole)))
}

/// The session of a row, where the filter lets it through.
async fn looked_at(
    records: &dyn Records,
    filter: &SessionsFilter,
    row: &Row,
) -> Result<Option<SessionOfAll>, PortError> {
    let unreadable = || PortError::Corrupt(row.key.sort.clone());
    let (account, _) = row.key.sort.split_once('/').ok_or_else(unreadable)?;
    let account = AccountId::parse(account).map_err(|_| unreadable())?;
    let view: SessionView = rows::value(row)?;
    let is_network = filter.network.is_none_or(|network| network == view.network);
    if view.wanted == Wanted::Deleted || !is_network {
        return Ok(None);
    }
    let live: Option<LiveSession> = rows::get(records, &keys::session_live(account, view.id)).await?;
    let status = view.status_with(live.as_ref());
    if filter.status.is_some_and(|wanted| wanted != status.0) {
        return Ok(None);
    }
    let placed: Option<Placement> = match view.wanted {
        Wanted::Running => rows::get(records, &keys::placement(account, view.id)).await?,
        _ => None,
    };
    let host = placed.and_then(|Placement { host, since }| host.map(|host| (host, since)));
    let health = live.map(|live| live.health).unwrap_or_default();
    Ok(Some(SessionOfAll { account, view, status, health, host }))
}
