//! Inbound messages become commands before the network may forget them.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use waxwing_app::commands::Outcomes;
use waxwing_domain::{AccountId, Person, SessionId, message::ReceiveMessage};
use waxwing_whatsapp::{InboundError, InboundMessage, InboundSink};

/// Commits the inbound messages of one session.
pub(crate) struct JournalSink {
    pub(crate) outcomes: Outcomes,
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    /// The session's own person, as far as it is known.
    pub(crate) me: Mutex<Option<Person>>,
}

impl JournalSink {
    pub(crate) fn new(
        outcomes: Outcomes,
        account: AccountId,
        session: SessionId,
        me: Option<Person>,
    ) -> Arc<Self> {
        Arc::new(Self { outcomes, account, session, me: Mutex::new(me) })
    }

    pub(crate) fn set_me(&self, me: Person) {
        *self.me.lock().unwrap_or_else(PoisonError::into_inner) = Some(me);
    }
}

#[async_trait]
impl InboundSink for JournalSink {
    async fn commit(&self, message: InboundMessage) -> Result<(), InboundError> {
        let InboundMessage { whatsapp_id, chat, from, from_me, push_name, at, content, .. } = message;
        let me = self.me.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let from = match from.name {
            None => from.named(push_name),
            Some(_) => from,
        };
        let chat = match chat.jid == from.jid && !from_me {
            true => from.clone(),
            false => chat,
        };
        let to = match chat.jid.is_person() {
            true => me.unwrap_or_else(|| chat.clone()),
            false => chat.clone(),
        };
        let receive =
            ReceiveMessage { session_id: self.session, chat, from, to, from_me, whatsapp_id, content, at };
        match self.outcomes.received(self.account, receive).await {
            Ok(_) => Ok(()),
            Err(error) => Err(InboundError(error.to_string())),
        }
    }
}
