//! Inbound messages become commands before the network may forget them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;
use waxwing_app::{commands::Outcomes, views::SessionView};
use waxwing_domain::{AccountId, Jid, Person, SessionId, message::ReceiveMessage, session::SessionSettings};
use waxwing_whatsapp::{InboundError, InboundMessage, InboundSink};

/// Messages that may wait to be marked as read; past it they stay unread.
const TO_READ_MAX: usize = 256;

/// Commits the inbound messages of one session.
pub(crate) struct JournalSink {
    pub(crate) outcomes: Outcomes,
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    known: Mutex<Known>,
    /// To be marked as read. Not here: the sender's Signal lock is held while a message is committed.
    to_read: mpsc::Sender<ToRead>,
}

/// What the sink knows of its session.
struct Known {
    /// The session's own person, as far as it is known.
    me: Option<Person>,
    settings: SessionSettings,
}

/// A message to mark as read.
pub(crate) struct ToRead {
    pub(crate) chat: Jid,
    /// Its sender, in a group.
    pub(crate) from: Option<Jid>,
    pub(crate) whatsapp_id: String,
}

impl JournalSink {
    pub(crate) fn new(
        outcomes: Outcomes,
        account: AccountId,
        session: SessionId,
        view: &SessionView,
    ) -> (Arc<Self>, mpsc::Receiver<ToRead>) {
        let (to_read, reads) = mpsc::channel(TO_READ_MAX);
        let known = Mutex::new(Known { me: view.me.clone(), settings: view.settings.clone() });
        (Arc::new(Self { outcomes, account, session, known, to_read }), reads)
    }

    pub(crate) fn set_me(&self, me: Person) {
        self.known().me = Some(me);
    }

    pub(crate) fn set_settings(&self, settings: &SessionSettings) {
        self.known().settings = settings.clone();
    }

    pub(crate) fn is_always_online(&self) -> bool {
        self.known().settings.always_online
    }

    pub(crate) fn me(&self) -> Option<Person> {
        self.known().me.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True for a conversation whose messages the session does not record.
pub(crate) fn is_ignored(chat: &Jid, settings: &SessionSettings) -> bool {
    match chat {
        Jid::Group(_) => settings.ignore_groups,
        Jid::Broadcast(_) => settings.ignore_broadcasts,
        Jid::Newsletter(_) => settings.ignore_channels,
        Jid::Phone(_) | Jid::Lid(_) => false,
    }
}

#[async_trait]
impl InboundSink for JournalSink {
    async fn commit(&self, message: InboundMessage) -> Result<(), InboundError> {
        let InboundMessage { whatsapp_id, chat, from, from_me, push_name, at, content, .. } = message;
        let (me, ignored, reads) = {
            let known = self.known();
            (known.me.clone(), is_ignored(&chat.jid, &known.settings), known.settings.auto_read && !from_me)
        };
        if ignored {
            return Ok(());
        }
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
        let read = reads.then(|| ToRead {
            chat: chat.jid.clone(),
            from: (!chat.jid.is_person()).then(|| from.jid.clone()),
            whatsapp_id: whatsapp_id.clone(),
        });
        let receive =
            ReceiveMessage { session_id: self.session, chat, from, to, from_me, whatsapp_id, content, at };
        if let Err(error) = self.outcomes.received(self.account, receive).await {
            return Err(InboundError(error.to_string()));
        }
        if let Some(read) = read {
            let _ = self.to_read.try_send(read);
        }
        Ok(())
    }
}
