use std::collections::BTreeMap;

use futures::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use waxwing_domain::{
    AccountId, EventId, Jid, MessageId, SessionId,
    message::{Direction, Message, MessageEvent, MessageStatus},
};

use super::all_sessions;
use crate::{
    codec,
    execute::CommandPorts,
    identities, keys,
    ports::{Bounds, Commit, PortError, Query, Records, StreamName},
    rows,
    search::Terms,
    told_events,
    views::MessageView,
};

/// The message: its row, else its stream. `None` when it is not there.
pub async fn message(
    ports: &CommandPorts,
    records: &dyn Records,
    account: AccountId,
    id: MessageId,
) -> Result<Option<MessageView>, PortError> {
    match rows::get(records, &keys::message(account, id)).await? {
        Some(view) => Ok(Some(view)),
        None => Ok(history(ports, account, id).await?.pop().map(|step| step.view)),
    }
}

/// One event of a message, with the message as it was after it.
struct Step {
    commit: Commit,
    index: usize,
    event: MessageEvent,
    view: MessageView,
}

async fn history(ports: &CommandPorts, account: AccountId, id: MessageId) -> Result<Vec<Step>, PortError> {
    let stream = StreamName::new(<Message as waxwing_domain::Aggregate>::TYPE, id);
    let mut steps: Vec<Step> = Vec::new();
    for commit in ports.journal.read(account, &stream).await? {
        for (index, event) in
            codec::open::<MessageEvent>(&*ports.secrets, &commit).await?.into_iter().enumerate()
        {
            let before = steps.last().map(|step| step.view.clone());
            if let Some(view) = MessageView::after(before, id, event.clone(), commit.at) {
                steps.push(Step { commit: commit.clone(), index, event, view });
            }
        }
    }
    Ok(steps)
}

/// One entry of a message's timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelineEntry {
    /// The event's id, the same as in webhooks.
    pub id: EventId,
    /// The event's type, the same as in webhooks.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Which step it was.
    pub status: MessageStatus,
    /// When it happened.
    pub at: Timestamp,
    /// When it was recorded here.
    pub recorded_at: Timestamp,
    /// The event's data, the same as in webhooks.
    pub data: Value,
}

/// Everything that happened to a message, in the order in which it was recorded; empty when there is no such message.
pub async fn timeline(
    ports: &CommandPorts,
    account: AccountId,
    id: MessageId,
) -> Result<Vec<TimelineEntry>, PortError> {
    let steps = history(ports, account, id).await?;
    Ok(steps
        .into_iter()
        .map(|Step { commit, index, event, view }| {
            let (status, at) = step_of(&event, &view);
            TimelineEntry {
                id: told_events::event_id(commit.at, account, &commit.stream, commit.version, index),
                kind: told_events::message_event_type(&event),
                status,
                at,
                recorded_at: commit.at,
                data: told_events::message_event_data(id, &event, &view),
            }
        })
        .collect())
}

/// What is done to a message leaves its status as it is.
fn step_of(event: &MessageEvent, view: &MessageView) -> (MessageStatus, Timestamp) {
    match event {
        MessageEvent::Queued(data) => (MessageStatus::Queued, data.at),
        MessageEvent::Received(data) => (MessageStatus::Delivered, data.at),
        MessageEvent::SentFromPhone(data) => (MessageStatus::Sent, data.at),
        MessageEvent::Imported(data) => (data.status, data.at),
        MessageEvent::Sent(data) => (MessageStatus::Sent, data.at),
        MessageEvent::ReceiptRecorded(data) => (data.step.status(), data.at),
        MessageEvent::Failed(data) => (MessageStatus::Failed, data.at),
        MessageEvent::Expired(data) => (MessageStatus::Expired, data.at),
        MessageEvent::Canceled(data) => (MessageStatus::Canceled, data.at),
        MessageEvent::OperationAsked(data) => (view.status, data.at),
        MessageEvent::OperationFailed(data) => (view.status, data.at),
        MessageEvent::Edited(data) => (view.status, data.at),
        MessageEvent::Deleted(data) => (view.status, data.at),
        MessageEvent::Reacted(data) => (view.status, data.at),
    }
}

/// How many messages are read for one page, more or less: filters may leave most of them out, and then the page is short. On
/// AWS a caller who waits pays for each of them, and gets no answer at all after 29 s.
pub(super) const READ_MAX: usize = 2_000;
/// The fewest and the most that are read at once of one of several lists that are merged.
const LIST_CHUNK_MIN: usize = 10;
const LIST_CHUNK_MAX: usize = 500;

/// Which messages are wanted.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    /// Of this session.
    pub session: Option<SessionId>,
    /// Of this chat.
    pub chat: Option<Jid>,
    /// In or out.
    pub direction: Option<Direction>,
    /// In this status.
    pub status: Option<MessageStatus>,
    /// Of this kind.
    pub kind: Option<String>,
    /// With these words.
    pub text: Option<Terms>,
    /// Committed after this time.
    pub after: Option<Timestamp>,
    /// Committed before this time.
    pub before: Option<Timestamp>,
    /// Newest first.
    pub descending: bool,
}

impl MessageFilter {
    pub(super) fn lets(&self, view: &MessageView) -> bool {
        self.direction.is_none_or(|direction| direction == view.direction)
            && self.status.is_none_or(|status| status == view.status)
            && self.kind.as_ref().is_none_or(|kind| kind == view.content.kind())
            && self
                .text
                .as_ref()
                .is_none_or(|terms| view.content.text().is_some_and(|text| terms.are_in(text)))
    }

    /// True when messages are left out that stand in the lists.
    fn selects(&self) -> bool {
        self.selects_beyond_text() || self.text.is_some()
    }

    /// True when messages are left out that have the words.
    pub(super) fn selects_beyond_text(&self) -> bool {
        self.direction.is_some() || self.status.is_some() || self.kind.is_some()
    }

    /// The part of a list that times and cursor leave. Positions start with the commit time in milliseconds.
    fn bounds(&self, cursor: Option<String>) -> Bounds {
        // `~` sorts behind every position of the same millisecond.
        let after = self.after.map(|time| format!("{:015}~", time.as_millisecond()));
        let before = self.before.map(|time| format!("{:015}", time.as_millisecond()));
        match self.descending {
            false => Bounds { after: after.max(cursor), before },
            true => Bounds { after, before: [before, cursor].into_iter().flatten().min() },
        }
    }
}

/// A page of messages.
#[derive(Debug, Clone, Default)]
pub struct MessagePage {
    /// The messages; filters may leave fewer than the limit.
    pub messages: Vec<MessageView>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// A page of the account's messages by commit time. `allowed` says which sessions the caller may see.
pub async fn messages(
    records: &dyn Records,
    account: AccountId,
    filter: &MessageFilter,
    allowed: &(dyn Fn(SessionId) -> bool + Send + Sync),
    cursor: Option<String>,
    limit: usize,
) -> Result<MessagePage, PortError> {
    let sessions = match filter.session {
        Some(session) => vec![session],
        None => {
            let all = all_sessions(records, account).await?;
            all.into_iter().map(|session| session.id).filter(|id| allowed(*id)).collect()
        },
    };
    let mut merged = Merged::new(records, account, filter, &sessions, cursor, limit);
    let mut found = Vec::new();
    while let Some(view) = merged.next().await? {
        if found.len() == limit {
            // The page is full: the next one begins behind its last message.
            let next = found.last().map(MessageView::position);
            return Ok(MessagePage { messages: found, next });
        }
        let position = view.position();
        if filter.lets(&view) {
            found.push(view);
        }
        if merged.read >= READ_MAX && !merged.dry.is_empty() {
            return Ok(MessagePage { messages: found, next: Some(position) });
        }
    }
    Ok(MessagePage { messages: found, next: None })
}

/// The lists of several sessions behind a cursor, merged, before what filters leave out.
struct Merged<'a> {
    records: &'a dyn Records,
    account: AccountId,
    filter: &'a MessageFilter,
    lists: Vec<List>,
    /// Those that go on, and of which nothing is ahead: what comes next is not known before they are read.
    dry: Vec<usize>,
    /// What was read and is not taken yet, by position, which is unique; with the place of its list.
    ahead: BTreeMap<String, (usize, MessageView)>,
    /// How many are read at once of each list.
    chunk: usize,
    /// How many were read.
    read: usize,
}

struct List {
    session: SessionId,
    /// Where it was read to.
    cursor: Option<String>,
    /// How many of its messages are ahead.
    ahead: usize,
    /// It goes on behind them.
    goes_on: bool,
}

impl<'a> Merged<'a> {
    fn new(
        records: &'a dyn Records,
        account: AccountId,
        filter: &'a MessageFilter,
        sessions: &[SessionId],
        cursor: Option<String>,
        limit: usize,
    ) -> Self {
        let list =
            |session: &SessionId| List { session: *session, cursor: cursor.clone(), ahead: 0, goes_on: true };
        // More than what is wanted when a filter may leave much of it out. One more than the page tells whether it ends.
        let wanted = if filter.selects() { READ_MAX } else { limit + 1 };
        let chunk = wanted.div_ceil(sessions.len().max(1)).clamp(LIST_CHUNK_MIN, LIST_CHUNK_MAX);
        let (lists, dry) = (sessions.iter().map(list).collect(), (0..sessions.len()).collect());
        Self { records, account, filter, lists, dry, ahead: BTreeMap::new(), chunk, read: 0 }
    }

    /// The next message in their common order.
    async fn next(&mut self) -> Result<Option<MessageView>, PortError> {
        // A list that is read may be at its end, and is not dry then.
        let dry = std::mem::take(&mut self.dry);
        let reads = dry.iter().map(|place| self.read_on(&self.lists[*place]));
        for (place, views) in dry.iter().zip(try_join_all(reads).await?) {
            self.read += views.len();
            let list = &mut self.lists[*place];
            (list.ahead, list.goes_on) = (views.len(), views.len() == self.chunk);
            for view in views {
                let position = view.position();
                list.cursor = Some(position.clone());
                self.ahead.insert(position, (*place, view));
            }
        }
        let first = match self.filter.descending {
            true => self.ahead.pop_last(),
            false => self.ahead.pop_first(),
        };
        Ok(first.map(|(_, (place, view))| {
            let list = &mut self.lists[place];
            list.ahead -= 1;
            if list.ahead == 0 && list.goes_on {
                self.dry.push(place);
            }
            view
        }))
    }

    async fn read_on(&self, list: &List) -> Result<Vec<MessageView>, PortError> {
        let (records, account, session) = (self.records, self.account, list.session);
        let (index, partition) = match &self.filter.chat {
            Some(chat) => {
                // A person's chat stands under the number, once the session knows it.
                let chat = identities::person(records, account, session, chat.clone()).await?.jid;
                (keys::BY_CHAT, keys::messages_of_chat(account, session, &chat))
            },
            None => (keys::BY_SESSION, keys::messages_of_session(account, session)),
        };
        let (bounds, descending) = (self.filter.bounds(list.cursor.clone()), self.filter.descending);
        let rows = records.query(Query { index, partition, bounds, descending, limit: self.chunk }).await?;
        rows.iter().map(rows::value).collect()
    }
}
