use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use waxwing_domain::{
    Content, Context, Jid, Lid, MessageId, Person, PhoneNumber, SessionId,
    message::{Direction, MessageEvent, MessageReacted, MessageStatus, Origin},
};

/// Most reactions that a message is shown with: a row of a read model stays small.
pub const REACTIONS_SHOWN_MAX: usize = 256;

/// A message as read back. What is absent is left out of its row: an ordinary one takes one write unit of DynamoDB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageView {
    /// Its id.
    pub id: MessageId,
    /// Its session.
    pub session_id: SessionId,
    /// In or out.
    pub direction: Direction,
    /// Who wrote it.
    pub origin: Origin,
    /// The conversation.
    #[serde(serialize_with = "known")]
    pub chat: Person,
    /// The sender, where known.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "known_sender")]
    pub from: Option<Person>,
    /// The recipient.
    #[serde(serialize_with = "known")]
    pub to: Person,
    /// What it carries.
    pub content: Content,
    /// What it says beside that.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
    /// How far it has come.
    pub status: MessageStatus,
    /// WhatsApp's id.
    pub whatsapp_id: String,
    /// When it was accepted here, or WhatsApp's time for one that came in.
    pub created_at: Timestamp,
    /// When WhatsApp had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// When a recipient's device first had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// When a recipient first read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<MessageErrorView>,
    /// When it was last edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Reactions to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<ReactionView>,
    /// What the caller attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// When its first event was committed, WhatsApp's time for one of the history: what lists sort by.
    pub committed_at: Timestamp,
}

/// A person without what is not known.
fn known<S: Serializer>(person: &Person, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Known<'a> {
        jid: &'a Jid,
        #[serde(skip_serializing_if = "Option::is_none")]
        phone: &'a Option<PhoneNumber>,
        #[serde(skip_serializing_if = "Option::is_none")]
        lid: &'a Option<Lid>,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: &'a Option<String>,
    }
    let Person { jid, phone, lid, name } = person;
    Known { jid, phone, lid, name }.serialize(serializer)
}

fn known_sender<S: Serializer>(sender: &Option<Person>, serializer: S) -> Result<S::Ok, S::Error> {
    match sender {
        Some(person) => known(person, serializer),
        None => serializer.serialize_none(),
    }
}

/// Why a message failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageErrorView {
    /// For programs.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// A reaction to a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReactionView {
    /// Who reacted.
    pub from: Person,
    /// With what.
    pub emoji: String,
    /// When.
    pub at: Timestamp,
}

impl MessageView {
    /// The view after an event. The first event of a stream makes it; `committed_at` is the time of that commit.
    pub fn after(
        view: Option<Self>,
        id: MessageId,
        event: MessageEvent,
        committed_at: Timestamp,
    ) -> Option<Self> {
        match (view, event) {
            (None, event) => Self::first(id, event, committed_at),
            (Some(mut view), event) => {
                view.advance(event);
                Some(view)
            },
        }
    }

    fn first(id: MessageId, event: MessageEvent, committed_at: Timestamp) -> Option<Self> {
        let blank = |session_id, chat: Person, (content, context), whatsapp_id, created_at| Self {
            id,
            session_id,
            direction: Direction::Out,
            origin: Origin::Api,
            to: chat.clone(),
            chat,
            from: None,
            content: Content::cut(content),
            context,
            status: MessageStatus::Queued,
            whatsapp_id,
            created_at,
            sent_at: None,
            delivered_at: None,
            read_at: None,
            error: None,
            edited_at: None,
            deleted_at: None,
            reactions: Vec::new(),
            metadata: None,
            committed_at,
        };
        match event {
            MessageEvent::Queued(queued) => Some(Self {
                from: queued.from,
                metadata: queued.metadata,
                ..blank(
                    queued.session_id,
                    queued.to,
                    (queued.content, queued.context),
                    queued.whatsapp_id,
                    queued.at,
                )
            }),
            MessageEvent::Received(received) => Some(Self {
                direction: Direction::In,
                origin: Origin::Contact,
                from: Some(received.from),
                to: received.to,
                status: MessageStatus::Delivered,
                sent_at: Some(received.at),
                delivered_at: Some(committed_at),
                ..blank(
                    received.session_id,
                    received.chat,
                    (received.content, received.context),
                    received.whatsapp_id,
                    received.at,
                )
            }),
            MessageEvent::SentFromPhone(sent) => Some(Self {
                origin: Origin::Phone,
                from: Some(sent.from),
                status: MessageStatus::Sent,
                sent_at: Some(sent.at),
                ..blank(sent.session_id, sent.chat, (sent.content, sent.context), sent.whatsapp_id, sent.at)
            }),
            MessageEvent::Imported(imported) => Some(Self {
                direction: if imported.from_me { Direction::Out } else { Direction::In },
                origin: Origin::History,
                from: Some(imported.from),
                to: imported.to,
                status: imported.status,
                sent_at: Some(imported.at),
                // It stands where it was said, not where it was imported.
                committed_at: imported.at,
                ..blank(
                    imported.session_id,
                    imported.chat,
                    (imported.content, imported.context),
                    imported.whatsapp_id,
                    imported.at,
                )
            }),
            _ => None,
        }
    }

    fn advance(&mut self, event: MessageEvent) {
        match event {
            MessageEvent::Sent(sent) => {
                self.status = self.status.advanced(MessageStatus::Sent);
                self.sent_at = self.sent_at.or(Some(sent.at));
            },
            MessageEvent::ReceiptRecorded(receipt) => {
                let status = receipt.step.status();
                self.status = self.status.advanced(status);
                let first = match status {
                    MessageStatus::Delivered => &mut self.delivered_at,
                    _ => &mut self.read_at,
                };
                *first = Some(first.map_or(receipt.at, |known| known.min(receipt.at)));
                // A receipt proves that WhatsApp has it, whatever was believed before.
                self.error = None;
            },
            MessageEvent::Failed(failed) => {
                self.status = self.status.advanced(MessageStatus::Failed);
                self.error = Some(MessageErrorView { code: failed.code, detail: failed.detail });
            },
            MessageEvent::Expired(_) => self.status = self.status.advanced(MessageStatus::Expired),
            MessageEvent::Canceled(_) => self.status = self.status.advanced(MessageStatus::Canceled),
            MessageEvent::Edited(edited) => {
                self.edited_at = Some(edited.at);
                self.content = self.content.clone().edited(edited.text);
            },
            MessageEvent::Deleted(deleted) => self.deleted_at = Some(deleted.at),
            MessageEvent::Reacted(reacted) => self.react(reacted),
            MessageEvent::Queued(_)
            | MessageEvent::OperationAsked(_)
            | MessageEvent::OperationFailed(_)
            | MessageEvent::Received(_)
            | MessageEvent::SentFromPhone(_)
            | MessageEvent::Imported(_) => {},
        }
        if self.status != MessageStatus::Failed {
            self.error = None;
        }
    }

    /// The latest reaction of each person.
    fn react(&mut self, reacted: MessageReacted) {
        let MessageReacted { from, emoji, at, .. } = reacted;
        self.reactions.retain(|reaction| reaction.from.jid != from.jid);
        if !emoji.is_empty() && self.reactions.len() < REACTIONS_SHOWN_MAX {
            self.reactions.push(ReactionView { from, emoji, at });
        }
    }

    /// Where it stands in lists: by commit time, then id. Who wrote it stands behind that, so that messages are counted by
    /// their places alone; see [`origin_at`].
    pub fn position(&self) -> String {
        let mark = match self.origin {
            Origin::Api => 'a',
            Origin::Phone => 'p',
            Origin::Contact => 'c',
            Origin::History => 'h',
        };
        format!("{:015}/{}/{mark}", self.committed_at.as_millisecond(), self.id)
    }
}

/// What a position says: the time in milliseconds since 1970, the message, and who wrote it, which older positions do not say.
pub(crate) fn origin_at(position: &str) -> Option<(i64, MessageId, Option<Origin>)> {
    let mut parts = position.splitn(3, '/');
    let (time, id) = (parts.next()?.parse().ok()?, MessageId::parse(parts.next()?).ok()?);
    let origin = match parts.next() {
        None => None,
        Some("a") => Some(Origin::Api),
        Some("p") => Some(Origin::Phone),
        Some("c") => Some(Origin::Contact),
        Some("h") => Some(Origin::History),
        Some(_) => return None,
    };
    Some((time, id, origin))
}
