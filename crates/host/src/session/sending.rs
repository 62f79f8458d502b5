//! One row of the outbox, on its way.

use std::sync::Weak;

use base64::{Engine, engine::general_purpose::STANDARD};
use waxwing_app::{
    execute::CommandPorts,
    ports::PortError,
    processes::{OutboxPayload, OutboxRow},
};
use waxwing_domain::{AccountId, message::Message};
use waxwing_whatsapp::{Connection, Outgoing, OutgoingMessage, SendError};

/// Why nothing was sent.
pub(super) enum NotSent {
    /// It is not wanted any more: a replay of the feed put its row back, or it was withdrawn.
    Over,
    /// Whether it is wanted is not known.
    Unknown(PortError),
    Failed(SendError),
}

/// Sends what the journal says is still queued. The outbox may say more: a replay of the feed puts rows back, and a row
/// goes only after its outcome was committed.
pub(super) async fn send(
    ports: &CommandPorts,
    account: AccountId,
    connection: &Weak<Connection>,
    row: OutboxRow,
) -> Result<(), NotSent> {
    let id = row.message_id.to_string();
    let (message, _) = ports.load::<Message>(account, &id).await.map_err(NotSent::Unknown)?;
    if !row.is_wanted(&message) {
        return Err(NotSent::Over);
    }
    let failed = |error| Err(NotSent::Failed(error));
    let Some(message_secret) = secret(&row) else {
        return failed(SendError::Invalid("the message secret is not 32 bytes".to_owned()));
    };
    let message = OutgoingMessage {
        whatsapp_id: row.whatsapp_id,
        to: row.to.jid,
        payload: match row.payload {
            OutboxPayload::Message { content, context } => Outgoing::Message { content, context },
            OutboxPayload::Operation { operation, target, author } => {
                let (author, at) = (author.map(|author| author.jid), row.accepted_at);
                Outgoing::Operation { operation, target, author, at }
            },
        },
        message_secret,
    };
    match connection.upgrade() {
        Some(connection) => connection.send(message).await.or_else(failed),
        None => failed(SendError::NotConnected),
    }
}

fn secret(row: &OutboxRow) -> Option<[u8; 32]> {
    STANDARD.decode(&row.message_secret.0).ok()?.try_into().ok()
}
