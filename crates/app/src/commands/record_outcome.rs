//! What the session host learned from WhatsApp, as commands.

use jiff::Timestamp;
use waxwing_domain::{
    AccountId, CallId, MessageId, Person, SessionId,
    call::{Call, CallCommand, CallReceived},
    message::{
        Message, MessageCommand, MessageError, MessageStatus, ObserveOperation, ReceiveMessage, RecordReceipt,
    },
    session::{Session, SessionCommand, SessionError, SessionStatus},
};

use crate::{
    execute::{Cause, CommandPorts, ExecuteError, Execution},
    identities::Identities,
    ports::PortError,
};

/// The use cases of a session host: it is the only writer of a message's outcome.
#[derive(Clone)]
pub struct Outcomes {
    /// Journal, encryption, clock.
    pub ports: CommandPorts,
    /// Who is who. It is kept before the commit that names a person by two addresses: whoever reads one of them there can
    /// write to it, and lands in the same chat.
    pub identities: Identities,
}

/// What a host sent, or was to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentId {
    /// The message.
    pub message_id: MessageId,
    /// What was done to it, where it was not the message itself.
    pub operation_id: Option<String>,
}

/// The message itself.
impl From<MessageId> for SentId {
    fn from(message_id: MessageId) -> Self {
        Self { message_id, operation_id: None }
    }
}

/// What a host saw a session do.
#[derive(Debug, Clone)]
pub struct SeenStatus {
    /// What it is doing now.
    pub status: SessionStatus,
    /// Why, for programs.
    pub reason: Option<String>,
    /// Until when WhatsApp restricts the account, where it says so.
    pub until: Option<Timestamp>,
    /// The wish that the host followed.
    pub generation: u64,
}

/// The id of a message that came in: always the same for the same message, so that one conditional put deduplicates.
pub fn inbound_message_id(
    session: SessionId,
    chat: &Person,
    from: &Person,
    whatsapp_id: &str,
    at: Timestamp,
) -> MessageId {
    let unix_ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
    let (session, chat, from) = (session.to_string(), chat.jid.to_string(), from.jid.to_string());
    MessageId::derived(
        unix_ms,
        &[session.as_bytes(), chat.as_bytes(), from.as_bytes(), whatsapp_id.as_bytes()],
    )
}

impl Outcomes {
    async fn on_message(
        &self,
        account: AccountId,
        id: MessageId,
        command: MessageCommand,
        fresh: bool,
    ) -> Result<(), PortError> {
        let (text, cause) = (id.to_string(), Cause::system());
        let execution =
            Execution::<Message> { account, id: &text, command, fresh, claims: Vec::new(), cause: &cause };
        match self.ports.execute(execution).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Refused(MessageError::NotFound)) => Err(PortError::NotFound(text)),
            // What the network says cannot be refused: it is recorded, or it was recorded before.
            Err(ExecuteError::Refused(refusal)) => Err(PortError::Corrupt(format!("{text}: {refusal}"))),
            Err(ExecuteError::ClaimTaken(..)) => Err(PortError::Conflict(text)),
            Err(ExecuteError::Port(error)) => Err(error),
        }
    }

    /// A message came in, or the owner's phone sent one. Durable when this returns; a second time changes nothing.
    pub async fn received(
        &self,
        account: AccountId,
        message: ReceiveMessage,
    ) -> Result<MessageId, PortError> {
        let id = self.identified(account, &message).await?;
        self.on_message(account, id, MessageCommand::Receive(message), true).await?;
        Ok(id)
    }

    /// The phone handed a message over with the history. Durable when this returns; a second time, or for one that came
    /// in by itself, it changes nothing.
    pub async fn imported(
        &self,
        account: AccountId,
        message: ReceiveMessage,
        status: MessageStatus,
        told: bool,
    ) -> Result<(), PortError> {
        let id = self.identified(account, &message).await?;
        self.on_message(account, id, MessageCommand::Import { message, status, told }, true).await
    }

    /// The id of a message that the network brings. Whom it names is known when this returns.
    async fn identified(&self, account: AccountId, message: &ReceiveMessage) -> Result<MessageId, PortError> {
        let ReceiveMessage { session_id, chat, from, to, whatsapp_id, at, .. } = message;
        for person in [chat, from, to] {
            self.identities.learn(account, *session_id, person).await?;
        }
        Ok(inbound_message_id(*session_id, chat, from, whatsapp_id, *at))
    }

    /// WhatsApp acknowledged a message, or what is done to it.
    pub async fn sent(&self, account: AccountId, sent: &SentId, at: Timestamp) -> Result<(), PortError> {
        let command = match &sent.operation_id {
            None => MessageCommand::RecordServerAck { at },
            Some(id) => MessageCommand::RecordOperationAck { operation_id: id.clone(), at },
        };
        self.on_message(account, sent.message_id, command, false).await
    }

    /// Somebody did something to a message on a phone. A second time changes nothing.
    pub async fn observed(
        &self,
        account: AccountId,
        session: SessionId,
        id: MessageId,
        observed: ObserveOperation,
    ) -> Result<(), PortError> {
        self.identities.learn(account, session, &observed.by).await?;
        self.on_message(account, id, MessageCommand::Observe(observed), false).await
    }

    /// A receipt came.
    pub async fn receipt(
        &self,
        account: AccountId,
        session: SessionId,
        id: MessageId,
        receipt: RecordReceipt,
    ) -> Result<(), PortError> {
        self.identities.learn(account, session, &receipt.recipient).await?;
        self.on_message(account, id, MessageCommand::RecordReceipt(receipt), false).await
    }

    /// The time of a message, or of what should be done to it, is over.
    pub async fn expired(&self, account: AccountId, sent: &SentId, at: Timestamp) -> Result<(), PortError> {
        match &sent.operation_id {
            None => self.on_message(account, sent.message_id, MessageCommand::Expire { at }, false).await,
            Some(_) => self.failed(account, sent, "expired", "It could not be sent in time.", at).await,
        }
    }

    /// A message, or what should be done to it, cannot be sent.
    pub async fn failed(
        &self,
        account: AccountId,
        sent: &SentId,
        code: &str,
        detail: &str,
        at: Timestamp,
    ) -> Result<(), PortError> {
        let (code, detail) = (code.to_owned(), detail.to_owned());
        let command = match sent.operation_id.clone() {
            None => MessageCommand::Fail { code, detail, at },
            Some(operation_id) => MessageCommand::FailOperation { operation_id, code, detail, at },
        };
        self.on_message(account, sent.message_id, command, false).await
    }

    async fn on_session(
        &self,
        account: AccountId,
        id: SessionId,
        command: SessionCommand,
    ) -> Result<(), PortError> {
        let (text, cause) = (id.to_string(), Cause::system());
        let execution = Execution::<Session> {
            account,
            id: &text,
            command,
            fresh: false,
            claims: Vec::new(),
            cause: &cause,
        };
        match self.ports.execute(execution).await {
            // A session that was deleted meanwhile needs no record.
            Ok(_) | Err(ExecuteError::Refused(SessionError::NotFound)) => Ok(()),
            Err(ExecuteError::Refused(refusal)) => Err(PortError::Corrupt(format!("{text}: {refusal}"))),
            Err(ExecuteError::ClaimTaken(..)) => Err(PortError::Conflict(text)),
            Err(ExecuteError::Port(error)) => Err(error),
        }
    }

    /// A phone linked the session.
    pub async fn paired(
        &self,
        account: AccountId,
        id: SessionId,
        me: Person,
        platform: String,
        at: Timestamp,
    ) -> Result<(), PortError> {
        self.on_session(account, id, SessionCommand::RecordPairing { me, platform, at }).await
    }

    /// The session does something else now.
    pub async fn session_status(
        &self,
        account: AccountId,
        id: SessionId,
        seen: SeenStatus,
        at: Timestamp,
    ) -> Result<(), PortError> {
        let SeenStatus { status, reason, until, generation } = seen;
        let command = SessionCommand::RecordStatus { status, reason, until, generation, at };
        self.on_session(account, id, command).await
    }

    /// Somebody called. A second time changes nothing.
    pub async fn called(&self, account: AccountId, call: CallReceived) -> Result<(), PortError> {
        self.identities.learn(account, call.session_id, &call.from).await?;
        let unix_ms = u64::try_from(call.at.as_millisecond()).unwrap_or(0);
        let id = CallId::derived(unix_ms, &[call.session_id.to_string().as_bytes(), call.call_id.as_bytes()]);
        let (text, cause) = (id.to_string(), Cause::system());
        let (command, claims) = (CallCommand::Receive(call), Vec::new());
        let execution = Execution::<Call> { account, id: &text, command, fresh: true, claims, cause: &cause };
        match self.ports.execute(execution).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Refused(never)) => match never {},
            Err(ExecuteError::ClaimTaken(..)) => Err(PortError::Conflict(text)),
            Err(ExecuteError::Port(error)) => Err(error),
        }
    }
}
