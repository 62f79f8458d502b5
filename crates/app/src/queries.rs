//! What can be asked. A single thing is read from its row, else from its stream, so that what was written can be read at
//! once; lists may lag by a second.

mod api_keys;
mod audit;
mod me;
mod members;
mod messages;
mod operator;
mod search;
mod sessions;
mod sessions_overview;
mod usage;
mod webhooks;

pub use api_keys::{api_key, api_keys};
pub use audit::{AuditFilter, AuditOf, AuditPage, audit_log};
pub use me::{Me, Membership, Person, me, user_email};
pub use members::{account, invitations, member, members};
pub use messages::{MessageFilter, MessagePage, TimelineEntry, message, messages, timeline};
pub use operator::{accounts, hosts, is_operator, users};
pub use search::found_messages;
pub(crate) use sessions::all_sessions;
pub(crate) use sessions::folded as session_from_stream;
pub use sessions::{SESSIONS_MAX, SessionPage, live_session, session, sessions};
pub use sessions_overview::{SessionOfAll, SessionsFilter, sessions_of_all};
pub(crate) use usage::count_without;
pub use usage::{USAGE_DAYS_MAX, USAGE_QUERIES_MAX, UsageCounts, UsageDay, usage, usage_within, utc_day};
pub use webhooks::{webhook, webhooks};
