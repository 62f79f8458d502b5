use waxwing_domain::{
    AccountId, SessionId,
    session::{Session, SessionEvent},
};

use crate::{
    codec,
    execute::CommandPorts,
    keys,
    ports::{Bounds, PortError, Query, Records, StreamName},
    rows,
    views::{LiveSession, SessionView, Wanted},
};

/// Most sessions of one account that lists over all of them look at.
pub const SESSIONS_MAX: usize = 10_000;
/// Rows read at once.
const PAGE: usize = 500;

/// The session, unless it is not there or was deleted.
pub async fn session(
    ports: &CommandPorts,
    records: &dyn Records,
    account: AccountId,
    id: SessionId,
) -> Result<Option<SessionView>, PortError> {
    let view = match rows::get::<SessionView>(records, &keys::session(account, id)).await? {
        Some(view) => Some(view),
        None => folded(ports, account, id).await?.map(|(view, _)| view),
    };
    Ok(view.filter(|view| view.wanted != Wanted::Deleted))
}

/// The session and its head version, from its stream.
pub(crate) async fn folded(
    ports: &CommandPorts,
    account: AccountId,
    id: SessionId,
) -> Result<Option<(SessionView, u64)>, PortError> {
    let stream = StreamName::new(<Session as waxwing_domain::Aggregate>::TYPE, id);
    let (mut view, mut version) = (None, 0);
    for commit in ports.journal.read(account, &stream).await? {
        version = commit.version;
        for event in codec::open::<SessionEvent>(&*ports.secrets, &commit).await? {
            view = SessionView::after(view, id, event);
        }
    }
    Ok(view.map(|view| (view, version)))
}

/// What the session's host says of it, if any does.
pub async fn live_session(
    records: &dyn Records,
    account: AccountId,
    id: SessionId,
) -> Result<Option<LiveSession>, PortError> {
    rows::get(records, &keys::session_live(account, id)).await
}

/// A page of sessions.
#[derive(Debug, Clone, Default)]
pub struct SessionPage {
    /// The sessions, oldest first; deleted ones are left out, so that there may be fewer than the limit.
    pub sessions: Vec<SessionView>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// The account's sessions after this id.
pub async fn sessions(
    records: &dyn Records,
    account: AccountId,
    after: Option<String>,
    limit: usize,
) -> Result<SessionPage, PortError> {
    let bounds = Bounds { after, before: None };
    let query =
        Query { index: 0, partition: keys::sessions(account), bounds, descending: false, limit: limit + 1 };
    let mut found = records.query(query).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|row| row.key.sort.clone());
    let views = found.iter().map(rows::value).collect::<Result<Vec<SessionView>, _>>()?;
    let sessions = views.into_iter().filter(|view| view.wanted != Wanted::Deleted).collect();
    Ok(SessionPage { sessions, next })
}

/// Every session of the account that is not deleted: up to [`SESSIONS_MAX`].
pub(crate) async fn all_sessions(
    records: &dyn Records,
    account: AccountId,
) -> Result<Vec<SessionView>, PortError> {
    let (mut all, mut after) = (Vec::new(), None);
    while all.len() < SESSIONS_MAX {
        let page = sessions(records, account, after, PAGE).await?;
        all.extend(page.sessions);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    Ok(all)
}
