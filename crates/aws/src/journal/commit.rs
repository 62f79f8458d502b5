//! How a commit looks as an item. Names are short: an ordinary message's commit fits in one write unit of 1 KB.

use waxwing_app::ports::{Commit, FeedItem, Order, PortError, StreamName};
use waxwing_domain::{AccountId, Aggregate as _, MessageId, message::Message};

use crate::item::{Item, Reader, WRITE_ID, WRITE_ID_LEN, bytes, number, put_bytes, put_text, text};

/// `account/stream`.
pub(super) const PARTITION: &str = "pk";
/// The version.
pub(super) const AT_VERSION: &str = "v";
/// JSON list of the events' types: an event source can filter by how it begins.
const TYPES: &str = "t";
const ACTOR: &str = "a";
const REQUEST: &str = "r";
const TRACE: &str = "x";
pub(super) const AT_MS: &str = "ms";
const KEY_ID: &str = "k";
const PAYLOAD: &str = "p";

/// Where a stream's commits are.
pub(crate) fn partition(account: AccountId, stream: &StreamName) -> String {
    format!("{account}/{stream}")
}

/// The reverse of [`partition`].
pub(crate) fn read_partition(partition: &str) -> Option<(AccountId, StreamName)> {
    let (account, stream) = partition.split_once('/')?;
    Some((account.parse().ok()?, StreamName(stream.to_owned())))
}

/// Ids sort by the time they were made: a stream's first commit sorts by its id, and what happens to a message later by
/// the time at which it happened, so that what is sent about an old message stands behind what was sent before.
pub(crate) fn order(commit: &Commit) -> Order {
    let Commit { stream, version, at, .. } = commit;
    let unix_ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
    let id = stream.id();
    Order(match (stream.kind(), version) {
        (Message::TYPE, 2..) => format!("{}/{id}/{version:010}", MessageId::new(unix_ms, [u8::MAX; 10])),
        _ => format!("{id}/{version:010}"),
    })
}

/// The commit at its place in the feed.
pub(crate) fn feed_item(commit: Commit) -> FeedItem {
    FeedItem { order: order(&commit), commit }
}

/// The commit as an item.
pub(crate) fn write(
    partition: &str,
    commit: &Commit,
    write_id: [u8; WRITE_ID_LEN],
) -> Result<Item, PortError> {
    let types = serde_json::to_string(&commit.types).expect("a list of texts is always JSON");
    let mut item = Item::from([
        (PARTITION.to_owned(), text(partition)),
        (AT_VERSION.to_owned(), number(commit.version)),
        (TYPES.to_owned(), text(types)),
        (AT_MS.to_owned(), number(commit.at.as_millisecond())),
        (WRITE_ID.to_owned(), bytes(write_id)),
    ]);
    put_text(&mut item, ACTOR, &commit.actor);
    put_text(&mut item, REQUEST, commit.request_id.as_deref().unwrap_or_default());
    put_text(&mut item, TRACE, commit.trace_id.as_deref().unwrap_or_default());
    put_text(&mut item, KEY_ID, &commit.key_id);
    put_bytes(&mut item, PAYLOAD, commit.payload.clone());
    Ok(item)
}

/// The reverse of [`write`].
pub(crate) fn read(account: AccountId, stream: &StreamName, item: &Item) -> Result<Commit, PortError> {
    let what = partition(account, stream);
    let item = Reader { what: &what, item };
    let types = serde_json::from_str(&item.text(TYPES)?)
        .map_err(|error| PortError::Corrupt(format!("{what}: the types cannot be read: {error}")))?;
    let at = item.optional_time(AT_MS)?;
    Ok(Commit {
        account,
        stream: stream.clone(),
        version: item.number(AT_VERSION)?,
        types,
        actor: item.optional_text(ACTOR)?.unwrap_or_default(),
        request_id: item.optional_text(REQUEST)?,
        trace_id: item.optional_text(TRACE)?,
        at: at.ok_or_else(|| PortError::Corrupt(format!("{what}: a commit without a time")))?,
        key_id: item.optional_text(KEY_ID)?.unwrap_or_default(),
        payload: item.bytes(PAYLOAD)?.to_vec(),
    })
}
