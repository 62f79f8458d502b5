//! The session host: it owns the sockets, and is the only writer of a message's outcome.
//!
//! [`Host`] supervises one task per session ([`session`]). A session reads its outbox ([`outbox`]), sends, and hands what
//! the socket says to the [`lanes`], which record it in order per message. What should happen stands in Records; the
//! hints of [`waxwing_app::ports::Gateway`] only make it happen sooner.

mod admission;
mod census;
mod endpoints;
mod heart;
mod inbound;
mod lanes;
mod live;
mod members;
mod outbox;
mod receipts;
mod session;
mod supervisor;

pub use endpoints::{SandboxEndpoints, WhatsappEndpoints};
pub use supervisor::{Host, HostPorts, HostSettings, Membership};
