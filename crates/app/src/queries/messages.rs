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
    rows, told_events,
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
            let (status, at) = step_of(&event);
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

fn step_of(event: &MessageEvent) -> (MessageStatus, Timestamp) {
    match event {
        MessageEvent::Queued(data) => (MessageStatus::Queued, data.at),
        MessageEvent::Received(data) => (MessageStatus::Delivered, data.at),
        MessageEvent::SentFromPhone(data) => (MessageStatus::Sent, data.at),
        MessageEvent::Imported(data) => (data.status, data.at),
        MessageEvent::Sent(data) => (MessageStatus::Sent, data.at),
        MessageEvent::ReceiptRecorded(data) => (data.step.status(), data.at),
        MessageEvent::Failed(data) => (MessageStatus::Failed, data.at),
        MessageEvent::Expired(data) => (MessageStatus::Expired, data.at),
    }
}

/// How many messages are read at once when a filter may leave most of them out.
const SELECTED_CHUNK: usize = 200;
/// How many messages are looked at for one page, more or less: filters may leave most of them out, and then the page is
/// short. On AWS a caller who waits pays for each of them, and gets no answer at all after 29 s.
const LOOKED_AT_MAX: usize = 2_000;
/// The fewest that are read at once of each of several lists that are merged.
const LIST_CHUNK_MIN: usize = 10;

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
    /// With this text, in lower case, in theirs.
    pub text: Option<String>,
    /// Committed after this time.
    pub after: Option<Timestamp>,
    /// Committed before this time.
    pub before: Option<Timestamp>,
    /// Newest first.
    pub descending: bool,
}

impl MessageFilter {
    fn lets(&self, view: &MessageView) -> bool {
        self.direction.is_none_or(|direction| direction == view.direction)
            && self.status.is_none_or(|status| status == view.status)
            && self.kind.as_ref().is_none_or(|kind| kind == view.content.kind())
            && self.text.as_ref().is_none_or(|wanted| {
                view.content.text().is_some_and(|text| text.to_lowercase().contains(wanted))
            })
    }

    /// True when messages are left out that stand in the lists.
    fn selects(&self) -> bool {
        self.direction.is_some() || self.status.is_some() || self.kind.is_some() || self.text.is_some()
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
    // What is read at once is more than what is wanted when a filter may leave much of it out.
    let chunk = if filter.selects() { limit.max(SELECTED_CHUNK) } else { limit };
    let (mut found, mut next, mut looked_at) = (Vec::new(), cursor, 0);
    while looked_at < LOOKED_AT_MAX {
        let (views, more) = chunk_of(records, account, filter, &sessions, next.take(), chunk).await?;
        looked_at += views.len();
        next = views.last().filter(|_| more).map(MessageView::position);
        for view in views.into_iter().filter(|view| filter.lets(view)) {
            if found.len() == limit {
                // The page is full: the next one begins behind its last message.
                next = found.last().map(MessageView::position);
                break;
            }
            found.push(view);
        }
        if next.is_none() || found.len() == limit {
            break;
        }
    }
    Ok(MessagePage { messages: found, next })
}

/// The next messages of the lists of these sessions behind the cursor, merged, before what filters leave out. True when
/// there are more.
async fn chunk_of(
    records: &dyn Records,
    account: AccountId,
    filter: &MessageFilter,
    sessions: &[SessionId],
    cursor: Option<String>,
    chunk: usize,
) -> Result<(Vec<MessageView>, bool), PortError> {
    let bounds = filter.bounds(cursor);
    let of_each = chunk.div_ceil(sessions.len().max(1)).max(LIST_CHUNK_MIN).min(chunk);
    let lists = sessions.iter().map(|session| {
        let bounds = bounds.clone();
        async move {
            let (index, partition) = match &filter.chat {
                Some(chat) => {
                    // A person's chat stands under the number, once the session knows it.
                    let chat = identities::person(records, account, *session, chat.clone()).await?.jid;
                    (keys::BY_CHAT, keys::messages_of_chat(account, *session, &chat))
                },
                None => (keys::BY_SESSION, keys::messages_of_session(account, *session)),
            };
            let (descending, limit) = (filter.descending, of_each + 1);
            let rows = records.query(Query { index, partition, bounds, descending, limit }).await?;
            rows.iter().map(rows::value::<MessageView>).collect::<Result<Vec<_>, _>>()
        }
    });
    let (mut views, mut horizon) = (Vec::new(), None);
    let later = |a: &String, b: &String| if filter.descending { a < b } else { a > b };
    for mut list in try_join_all(lists).await? {
        if list.len() > of_each {
            // This list goes on: what others have behind its last message is not yet next.
            list.truncate(of_each);
            let last = list.last().map(MessageView::position);
            horizon = match (horizon, last) {
                (Some(horizon), Some(last)) if later(&last, &horizon) => Some(horizon),
                (_, last) => last,
            };
        }
        views.extend(list);
    }
    let more = horizon.is_some();
    if let Some(horizon) = horizon {
        views.retain(|view| !later(&view.position(), &horizon));
    }
    views.sort_by_key(MessageView::position);
    if filter.descending {
        views.reverse();
    }
    Ok((views, more))
}
