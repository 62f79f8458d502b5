//! The WhatsApp port on the client library: credential store, socket, conversion.
//!
//! This is the only crate that names `whatsapp-rust`. A session is opened in two steps: [`SignalState::open`] claims its
//! Signal state under an epoch and loads it, and [`Connector::open`] builds a client on it. [`Connection::connect`] runs
//! the client once; what the socket says arrives as [`ConnectionEvent`]s, and inbound messages through the
//! [`InboundSink`], which commits them before the network forgets them. The caller decides when to connect again.
//!
//! Linking this crate makes a binary AGPL-3.0-only as a whole: the client library's Signal carries that licence.

mod connection;
mod connector;
mod convert;
#[cfg(test)]
#[path = "../tests/it/doubles.rs"]
mod doubles;
mod event;
mod handler;
mod history;
mod http_client;
mod inbound;
mod outgoing;
mod proxy;
mod sleeper;
mod socket;
mod store;

pub use connection::{
    CodeError, ConnectError, Connection, LinkCode, MEDIA_BYTES_MAX, MediaError, MediaFile, MediaKind,
};
pub use connector::{Connector, OpenError, SessionSettings};
pub use event::{
    Call, ConnectionEvent, ConnectionEvents, Disconnect, LogoutReason, PermanentCause, ReceiptStep,
    WhatsappIds,
};
pub use history::{History, HistoryError, HistoryMessage, HistoryPart};
pub use inbound::{Inbound, InboundError, InboundMessage, InboundSink, ObservedOperation};
pub use outgoing::{Outgoing, OutgoingMessage, SendError};
pub use proxy::ProxyGuard;
pub use sleeper::Sleeper;
pub use socket::{Endpoint, EndpointError, Endpoints};
pub use store::{Poison, SignalState, StateError};

use waxwing_domain::Network;

/// The network that this build reaches. A sandbox build does not check WhatsApp's certificate chain, so it must never
/// speak to WhatsApp; a live build cannot reach a simulated network.
pub const NETWORK: Network = if cfg!(feature = "sandbox") { Network::Sandbox } else { Network::Whatsapp };
