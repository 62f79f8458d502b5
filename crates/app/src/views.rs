//! Read models: what is shown of messages, sessions and webhooks, folded from their events.

mod message;
mod session;
mod webhook;

pub use message::{MessageErrorView, MessageView, ReactionView};
pub use session::{Health, HealthState, LiveSession, QrCode, SessionView, Wanted};
pub use webhook::WebhookView;
