//! Event → read model. Each can be thrown away and built again from the journal.

mod api_keys;
mod audit;
mod directory;
mod messages;
mod rebuild;
mod search;
mod sessions;

pub use api_keys::ApiKeyProjection;
pub(crate) use api_keys::write as api_key_write;
pub use audit::AuditProjection;
pub use directory::DirectoryProjection;
pub use messages::MessageProjection;
pub use rebuild::{Rebuild, Rebuilt};
pub use search::SearchProjection;
pub use sessions::SessionProjection;
pub(crate) use sessions::writes as session_writes;

use crate::ports::{Commit, FeedItem, StreamName};
use waxwing_domain::AccountId;

/// Commits of a batch by stream, in the order in which the streams first appear.
fn by_stream(items: &[FeedItem]) -> Vec<((AccountId, StreamName), Vec<&Commit>)> {
    let mut streams: Vec<((AccountId, StreamName), Vec<&Commit>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for FeedItem { commit, .. } in items {
        let place = *places.entry((commit.account, &commit.stream)).or_insert_with(|| {
            streams.push(((commit.account, commit.stream.clone()), Vec::new()));
            streams.len() - 1
        });
        streams[place].1.push(commit);
    }
    streams
}
