//! Accept a message for sending.

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use waxwing_domain::{
    AccountId, Content, Context, Jid, MessageId, Person, Secret, SessionId, Text,
    context::{QUOTE_CHARS_MAX, Quoted},
    message::{Message, MessageCommand, MessageError, MessageEvent, QueueMessage},
    session::SessionStatus,
};

use super::{
    Commands,
    idempotency::{IdempotencyError, Once, Repeatable},
};
use crate::{
    execute::{Cause, Execution, unexpected_claim},
    identities,
    ports::{Entropy, EntropyExt, PortError},
    queries,
    views::{MessageView, SessionView},
};

/// How long a message waits to be sent when nothing else is said.
pub(super) const EXPIRES_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What a caller wants to send.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Who sends.
    pub session_id: SessionId,
    /// Who receives. A hidden user whose phone number the session was told is written to under the number.
    pub to: Jid,
    /// What.
    pub content: Content,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// Who is mentioned.
    pub mentions: Vec<Jid>,
    /// It may be looked at once.
    pub view_once: bool,
    /// Given up at this time; 24 hours from now when absent.
    pub expires_at: Option<Timestamp>,
    /// Echoed in every event.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

impl NewMessage {
    /// This content to this recipient, and nothing else.
    pub fn new(session_id: SessionId, to: Jid, content: Content) -> Self {
        let (reply_to, mentions, view_once) = (None, Vec::new(), false);
        Self { session_id, to, content, reply_to, mentions, view_once, expires_at: None, metadata: None }
    }
}

/// Why a message was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SendMessageError {
    /// The session does not exist, or is another tenant's.
    #[error("there is no such session")]
    NoSuchSession,
    /// The session was unlinked: nothing can be sent until it is paired again.
    #[error("the session is logged out; pair it again before sending")]
    SessionLoggedOut,
    /// The message to answer does not exist, or is another tenant's or session's.
    #[error("there is no such message in this session")]
    NoSuchReply,
    /// The message to answer is part of another conversation.
    #[error("the message is part of another conversation")]
    ReplyElsewhere,
    /// It would be over before it was accepted.
    #[error("expires_at is in the past")]
    ExpiresInThePast,
    /// The content is not valid.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// See [`IdempotencyError`].
    #[error(transparent)]
    Idempotency(#[from] IdempotencyError),
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Commands {
    /// Accepts a message: it is durable when this returns, and everything else follows from the feed.
    pub async fn send_message(
        &self,
        account: AccountId,
        new: NewMessage,
        repeatable: Option<Repeatable<'_, MessageView>>,
        cause: &Cause,
    ) -> Result<Once<MessageView>, SendMessageError> {
        if let Some(answer) = self.repeated(account, repeatable.as_ref()).await? {
            return Ok(Once::Repeated(answer));
        }
        let session = self.session(account, new.session_id).await?.ok_or(SendMessageError::NoSuchSession)?;
        if session.status == SessionStatus::LoggedOut {
            return Err(SendMessageError::SessionLoggedOut);
        }
        // One person is one chat, whichever address the caller has.
        let to = identities::person(&*self.records, account, new.session_id, new.to.clone()).await?;
        let context = self.context_of(account, &to, &new).await?;
        let (id, queue) = self.queue_message(session, (to, context), new)?;
        let event = MessageEvent::from_queue(queue.clone())?;
        let view = MessageView::after(None, id, event, queue.at).ok_or(MessageError::NotFound)?;
        let claims = self.claims_for(account, repeatable.as_ref(), &view, queue.at).await?;
        let text = id.to_string();
        let execution = Execution::<Message> {
            account,
            id: &text,
            command: MessageCommand::Queue(queue),
            fresh: true,
            claims,
            cause,
        };
        let executed = self.ports.execute(execution).await;
        self.once(account, repeatable.as_ref(), executed, view, || unexpected_claim().into()).await
    }

    async fn context_of(
        &self,
        account: AccountId,
        chat: &Person,
        new: &NewMessage,
    ) -> Result<Context, SendMessageError> {
        let quoted = match new.reply_to {
            None => None,
            Some(id) => {
                let view = queries::message(&self.ports, &*self.records, account, id).await?;
                let view = view.filter(|view| view.session_id == new.session_id);
                let view = view.ok_or(SendMessageError::NoSuchReply)?;
                if view.chat.jid != chat.jid {
                    return Err(SendMessageError::ReplyElsewhere);
                }
                Some(quote(view))
            },
        };
        let people = new.mentions.iter();
        let mentions =
            people.map(|jid| identities::person(&*self.records, account, new.session_id, jid.clone()));
        let mentions = try_join_all(mentions).await?;
        Ok(Context { quoted, mentions, view_once: new.view_once, ..Context::default() })
    }

    fn queue_message(
        &self,
        session: SessionView,
        (to, context): (Person, Context),
        new: NewMessage,
    ) -> Result<(MessageId, QueueMessage), SendMessageError> {
        let (unix_ms, random) = self.ids.parts();
        let now = self.ports.clock.now();
        let expires_at =
            new.expires_at.unwrap_or_else(|| now.checked_add(EXPIRES_AFTER).unwrap_or(Timestamp::MAX));
        if expires_at <= now {
            return Err(SendMessageError::ExpiresInThePast);
        }
        let secret: [u8; 32] = self.entropy.bytes();
        let queue = QueueMessage {
            session_id: new.session_id,
            from: session.me,
            to,
            whatsapp_id: new_whatsapp_id(&*self.entropy),
            message_secret: Secret(STANDARD.encode(secret)),
            content: new.content,
            context,
            expires_at,
            metadata: new.metadata,
            at: now,
        };
        Ok((MessageId::new(unix_ms, random), queue))
    }
}

/// A message as another one quotes it.
fn quote(view: MessageView) -> Quoted {
    let text = view.content.text().map(|text| Text(text.chars().take(QUOTE_CHARS_MAX).collect()));
    let kind = Some(view.content.kind().to_owned());
    Quoted { message_id: Some(view.id), whatsapp_id: view.whatsapp_id, from: view.from, kind, text }
}

/// A message id of the form that WhatsApp Web makes: `3EB0` and 18 hexadecimal digits.
/// Source: `generateMessageIDV2` in Baileys, `GenerateMessageID` in whatsmeow.
pub fn new_whatsapp_id(entropy: &dyn Entropy) -> String {
    let random: [u8; 9] = entropy.bytes();
    random.iter().fold(String::from("3EB0"), |id, byte| format!("{id}{byte:02X}"))
}
