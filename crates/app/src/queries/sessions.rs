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

/// Most sessions of one account.
pub const SESSIONS_MAX: usize = 1_000;

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

/// The account's sessions after this id, oldest first.
pub async fn sessions(
    records: &dyn Records,
    account: AccountId,
    after: Option<String>,
    limit: usize,
) -> Result<Vec<SessionView>, PortError> {
    let bounds = Bounds { after, before: None };
    let query = Query { index: 0, partition: keys::sessions(account), bounds, descending: false, limit };
    records.query(query).await?.iter().map(rows::value).collect()
}
