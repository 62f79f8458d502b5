//! Event → work: what has to happen outside because something was committed.

mod delivery;
mod erasing;
mod mailing;
mod webhook_dispatch;
mod webhook_fan_out;

pub use delivery::{Delivery, OutboxPayload, OutboxRow};
pub use erasing::Erasing;
pub use mailing::{MailDispatch, MailFanOut, MailJob, Sent};
pub use webhook_dispatch::{RETRY_DELAYS_S, WebhookDispatch, signature};
pub(crate) use webhook_fan_out::endpoint_write;
pub use webhook_fan_out::{StoredEndpoint, WebhookFanOut, WebhookJob};
