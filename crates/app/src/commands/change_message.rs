//! Do something to a message that was sent, or withdraw one that was not.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use waxwing_domain::{
    AccountId, MessageId, Secret,
    message::{Direction, Message, MessageCommand, MessageError, MessageEvent, Operation, OperationAsked},
    session::SessionStatus,
};

use super::{Commands, new_whatsapp_id, send_message::EXPIRES_AFTER};
use crate::{
    execute::{Cause, ExecuteError, Execution, unexpected_claim},
    ports::{EntropyExt, PortError},
    views::MessageView,
};

/// Why nothing was done to a message.
#[derive(Debug, thiserror::Error)]
pub enum ChangeMessageError {
    /// The session was unlinked: nothing can be sent until it is paired again.
    #[error("the session is logged out; pair it again before sending")]
    SessionLoggedOut,
    /// See [`MessageError`].
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Commands {
    /// Accepts an operation on a message: it is durable when this returns, is sent once, and counts when WhatsApp has
    /// acknowledged it. `view` is the message as it stands.
    pub async fn change_message(
        &self,
        account: AccountId,
        view: &MessageView,
        operation: Operation,
        cause: &Cause,
    ) -> Result<(), ChangeMessageError> {
        let session = self.session(account, view.session_id).await?.ok_or(MessageError::NotFound)?;
        // Whoever was never linked has sent nothing.
        let by = session.me.ok_or(MessageError::NotSent)?;
        if session.status == SessionStatus::LoggedOut {
            return Err(ChangeMessageError::SessionLoggedOut);
        }
        let (secret, at): ([u8; 32], _) = (self.entropy.bytes(), self.ports.clock.now());
        let asked = OperationAsked {
            session_id: view.session_id,
            whatsapp_id: view.whatsapp_id.clone(),
            operation_id: new_whatsapp_id(&*self.entropy),
            operation,
            chat: view.chat.clone(),
            author: view.from.clone().filter(|_| view.direction == Direction::In),
            by,
            message_secret: Secret(STANDARD.encode(secret)),
            expires_at: at.checked_add(EXPIRES_AFTER).unwrap_or(Timestamp::MAX),
            at,
        };
        self.on_message(account, view.id, MessageCommand::Ask(asked), cause).await.map(drop)
    }

    /// Withdraws a message that was not sent. One that is on its way just now may arrive nevertheless: then WhatsApp's
    /// word stands above this, and the message is `sent`.
    pub async fn cancel_message(
        &self,
        account: AccountId,
        id: MessageId,
        cause: &Cause,
    ) -> Result<(), ChangeMessageError> {
        let command = MessageCommand::Cancel { at: self.ports.clock.now() };
        self.on_message(account, id, command, cause).await.map(drop)
    }

    async fn on_message(
        &self,
        account: AccountId,
        id: MessageId,
        command: MessageCommand,
        cause: &Cause,
    ) -> Result<Vec<MessageEvent>, ChangeMessageError> {
        let id = id.to_string();
        let execution =
            Execution::<Message> { account, id: &id, command, fresh: false, claims: Vec::new(), cause };
        match self.ports.execute(execution).await {
            Ok(outcome) => Ok(outcome.events),
            Err(ExecuteError::Refused(refusal)) => Err(refusal.into()),
            Err(ExecuteError::ClaimTaken(..)) => Err(unexpected_claim().into()),
            Err(ExecuteError::Port(error)) => Err(error.into()),
        }
    }
}
