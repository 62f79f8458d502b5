use std::collections::{BTreeSet, HashSet};

use futures::future::try_join_all;
use waxwing_domain::{AccountId, Jid, SessionId};

use super::{MessageFilter, MessagePage, all_sessions, messages::READ_MAX};
use crate::{
    identities, keys,
    ports::{Consistency, Found, PortError, Records, Search, SearchPage, SearchQuery},
    rows,
    views::MessageView,
};

/// Messages that are read at once where a filter may leave most of them out.
const CHUNK: usize = 200;

/// A page of the account's messages with the words of `filter`, from an index of words, by commit time. `allowed` says which
/// sessions the caller may see. Without words there is nothing to find.
pub async fn found_messages(
    search: &dyn Search,
    records: &dyn Records,
    account: AccountId,
    filter: &MessageFilter,
    allowed: &(dyn Fn(SessionId) -> bool + Send + Sync),
    cursor: Option<Found>,
    limit: usize,
) -> Result<MessagePage, PortError> {
    // Those that were deleted are in no list, and their messages neither.
    let sessions: HashSet<SessionId> = match filter.session {
        Some(session) => HashSet::from([session]),
        None => {
            let all = all_sessions(records, account).await?;
            all.into_iter().map(|session| session.id).filter(|id| allowed(*id)).collect()
        },
    };
    let mut query = SearchQuery {
        terms: filter.text.clone().unwrap_or_default(),
        // Where there is one only, no other is looked at.
        session: sessions.iter().copied().next().filter(|_| sessions.len() == 1),
        chats: chats(records, account, filter, &sessions).await?,
        after: filter.after,
        before: filter.before,
        descending: filter.descending,
        // One more than the page tells whether it ends.
        limit: if filter.selects_beyond_text() { CHUNK } else { limit + 1 },
        cursor,
    };
    let (mut messages, mut read): (Vec<MessageView>, usize) = (Vec::new(), 0);
    loop {
        let SearchPage { found, next } = search.search(account, &query).await?;
        let views = try_join_all(found.iter().map(async |found| {
            let row = records.get(&keys::message(account, found.message), Consistency::Eventual).await?;
            row.as_ref().map(rows::value::<MessageView>).transpose()
        }));
        // A message without a row is not listed yet, or no more.
        for view in views.await?.into_iter().flatten() {
            if !sessions.contains(&view.session_id) || !filter.lets(&view) {
                continue;
            }
            if messages.len() == limit {
                // The page is full: the next one begins behind its last message.
                let next = messages.last().map(MessageView::position);
                return Ok(MessagePage { messages, next });
            }
            messages.push(view);
        }
        read += found.len();
        let Some(behind) = next else { return Ok(MessagePage { messages, next: None }) };
        // Fewer than wanted: the index has looked at as much as it does for one page.
        if read >= READ_MAX || found.len() < query.limit {
            return Ok(MessagePage { messages, next: Some(behind.position()) });
        }
        query.cursor = Some(behind);
    }
}

/// The addresses under which the chat stands: a person's is the number, in each session that knows it.
async fn chats(
    records: &dyn Records,
    account: AccountId,
    filter: &MessageFilter,
    sessions: &HashSet<SessionId>,
) -> Result<Vec<Jid>, PortError> {
    let Some(chat) = &filter.chat else { return Ok(Vec::new()) };
    if chat.lid().is_none() {
        return Ok(vec![chat.clone()]);
    }
    let persons = sessions.iter().map(|session| identities::person(records, account, *session, chat.clone()));
    let known: BTreeSet<Jid> = try_join_all(persons).await?.into_iter().map(|person| person.jid).collect();
    Ok(if known.is_empty() { vec![chat.clone()] } else { known.into_iter().collect() })
}
