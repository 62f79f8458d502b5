//! Inbound messages become commands before the network may forget them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::mpsc;
use waxwing_app::{
    commands::Outcomes,
    keys,
    ports::{PortError, Records},
    rows,
    views::SessionView,
};
use waxwing_domain::{
    AccountId, Content, Context, Jid, MessageId, Person, SessionId, Timestamp,
    context::Quoted,
    message::{ObserveOperation, ReceiveMessage},
    session::SessionSettings,
};
use waxwing_whatsapp::{Inbound, InboundError, InboundMessage, InboundSink, ObservedOperation};

use crate::session::Shared;

/// Messages that may wait to be marked as read; past it they stay unread.
const TO_READ_MAX: usize = 256;
/// Messages that came in lately and may not stand in the index yet: what is done to one of them, or answers it, finds it
/// here.
const LATELY_MAX: usize = 512;

/// Commits the inbound messages of one session.
pub(crate) struct JournalSink {
    pub(crate) outcomes: Outcomes,
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    records: Arc<dyn Records>,
    known: Mutex<Known>,
    /// To be marked as read. Not here: the sender's Signal lock is held while a message is committed.
    to_read: mpsc::Sender<ToRead>,
}

/// What the sink knows of its session.
struct Known {
    /// The session's own person, as far as it is known.
    me: Option<Person>,
    settings: SessionSettings,
    /// The oldest first.
    lately: VecDeque<(Address, MessageId)>,
}

/// What a stanza says of a message.
struct Address {
    chat: Person,
    /// Who wrote it, where the owner did not.
    author: Option<Person>,
    whatsapp_id: String,
}

/// Where a message came from.
struct Came {
    chat: Person,
    from: Person,
    from_me: bool,
    whatsapp_id: String,
    at: Timestamp,
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
        shared: &Shared,
        (account, session): (AccountId, SessionId),
        view: &SessionView,
    ) -> (Arc<Self>, mpsc::Receiver<ToRead>) {
        let (to_read, reads) = mpsc::channel(TO_READ_MAX);
        let (outcomes, records) = (shared.outcomes.clone(), shared.ports.records.clone());
        let (me, settings) = (view.me.clone(), view.settings.clone());
        let known = Mutex::new(Known { me, settings, lately: VecDeque::new() });
        (Arc::new(Self { outcomes, account, session, records, known, to_read }), reads)
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

    /// The message of this chat that was written by `author`, where the owner did not write it. Either may have been known by
    /// another address when it came.
    async fn find(
        &self,
        chat: &Person,
        author: Option<&Person>,
        whatsapp_id: &str,
    ) -> Result<Option<MessageId>, PortError> {
        let lately = {
            let known = self.known();
            let is_it = |address: &Address| {
                let same_author = match (&address.author, author) {
                    (None, None) => true,
                    (Some(known), Some(author)) => known.is(author),
                    _ => false,
                };
                address.whatsapp_id == whatsapp_id && address.chat.is(chat) && same_author
            };
            known.lately.iter().find(|(address, _)| is_it(address)).map(|(_, id)| *id)
        };
        if lately.is_some() {
            return Ok(lately);
        }
        let key = |chat: &Jid, author: Option<&Jid>| {
            keys::whatsapp_id(self.account, self.session, chat, author, whatsapp_id)
        };
        let Some(author) = author else {
            return rows::get(&*self.records, &key(&chat.jid, None)).await;
        };
        for chat in addresses(chat) {
            for author in addresses(author) {
                if let Some(id) = rows::get(&*self.records, &key(&chat, Some(&author))).await? {
                    return Ok(Some(id));
                }
            }
        }
        Ok(None)
    }

    fn remember(&self, address: Address, id: MessageId) {
        let mut known = self.known();
        if known.lately.len() >= LATELY_MAX {
            known.lately.pop_front();
        }
        known.lately.push_back((address, id));
    }

    async fn message(&self, came: Came, content: Content, mut context: Context) -> Result<(), PortError> {
        let Came { chat, from, from_me, whatsapp_id, at } = came;
        let me = self.me();
        if let Some(Quoted { message_id, whatsapp_id, from, .. }) = &mut context.quoted {
            let author = from.as_ref().filter(|author| !me.as_ref().is_some_and(|me| me.is(author)));
            *message_id = self.find(&chat, author, whatsapp_id).await?;
        }
        let to = match chat.jid.is_person() {
            true => me.unwrap_or_else(|| chat.clone()),
            false => chat.clone(),
        };
        let (author, whatsapp_id_here) = ((!from_me).then(|| from.clone()), whatsapp_id.clone());
        let address = Address { chat: chat.clone(), author, whatsapp_id: whatsapp_id_here };
        let session_id = self.session;
        let receive =
            ReceiveMessage { session_id, chat, from, to, from_me, whatsapp_id, content, context, at };
        let id = self.outcomes.received(self.account, receive).await?;
        self.remember(address, id);
        Ok(())
    }

    /// What is done to a message that nobody told us of is recorded as it came: as a message of its own.
    async fn operation(
        &self,
        came: Came,
        observed: ObservedOperation,
        content: Content,
    ) -> Result<(), PortError> {
        let ObservedOperation { target, author, operation, as_admin } = observed;
        match self.find(&came.chat, author.as_ref(), &target).await? {
            None => self.message(came, content, Context::default()).await,
            Some(id) => {
                let Came { chat, from: by, from_me: by_me, at, .. } = came;
                let observed = ObserveOperation { operation, by, by_me, chat, as_admin, at };
                self.outcomes.observed(self.account, self.session, id, observed).await
            },
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The addresses under which somebody may be known.
fn addresses(person: &Person) -> Vec<Jid> {
    let phone = person.phone.clone().map(Jid::Phone);
    let lid = person.lid.clone().map(Jid::Lid);
    let mut all = vec![person.jid.clone()];
    for other in [phone, lid].into_iter().flatten() {
        if person.jid.is_person() && !all.contains(&other) {
            all.push(other);
        }
    }
    all
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
        let InboundMessage { whatsapp_id, chat, from, from_me, push_name, at, what, .. } = message;
        let (ignored, reads) = {
            let known = self.known();
            (is_ignored(&chat.jid, &known.settings), known.settings.auto_read && !from_me)
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
        let read = reads.then(|| ToRead {
            chat: chat.jid.clone(),
            from: (!chat.jid.is_person()).then(|| from.jid.clone()),
            whatsapp_id: whatsapp_id.clone(),
        });
        let came = Came { chat, from, from_me, whatsapp_id, at };
        let recorded = match what {
            Inbound::Message { content, context } => self.message(came, content, *context).await,
            Inbound::Operation(observed, content) => self.operation(came, observed, content).await,
        };
        if let Err(error) = recorded {
            return Err(InboundError(error.to_string()));
        }
        if let Some(read) = read {
            let _ = self.to_read.try_send(read);
        }
        Ok(())
    }
}
