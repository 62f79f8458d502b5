//! Read models: what is shown of API keys, members, messages, sessions and webhooks, folded from their events; and what
//! hosts say of themselves.

mod api_key;
mod audit;
mod directory;
mod host;
mod member;
mod message;
mod session;
mod webhook;

pub use api_key::ApiKeyView;
pub use audit::AuditEntry;
pub use directory::{AccountView, UserView};
pub use host::{HostView, Placement};
pub use member::{InvitationView, MemberView};
pub(crate) use message::origin_at;
pub use message::{MessageErrorView, MessageView, ReactionView};
pub use session::{Health, HealthState, LiveSession, QrCode, SessionView, Wanted};
pub use webhook::WebhookView;
