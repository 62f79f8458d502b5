//! Messages of a chat, as a phone has them.

use buffa::{Message as _, MessageField};
use wacore_binary::Jid;
use waproto::whatsapp as wa;

use crate::content;
use crate::error::{Failure, Refusal};
use crate::groups::Group;
use crate::limits;
use crate::phones::{self, Form, Phone};
use crate::store::Query;
use crate::turn::Turn;

/// The chat in which a phone writes.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    Person { to: &'a Phone, form: Form },
    Group(&'a Group),
}

impl Place<'_> {
    pub(crate) fn jid(self) -> Jid {
        match self {
            Self::Person { to, form } => to.jid(form),
            Self::Group(group) => group.jid(),
        }
    }

    /// How people are named in it.
    pub(crate) fn form(self) -> Form {
        match self {
            Self::Person { form, .. } => form,
            Self::Group(group) => group.form,
        }
    }

    pub(crate) fn group(self) -> Option<i64> {
        match self {
            Self::Person { .. } => None,
            Self::Group(group) => Some(group.id),
        }
    }

    /// The other person; nobody in a group.
    fn person(self) -> Option<i64> {
        match self {
            Self::Person { to, .. } => Some(to.id),
            Self::Group(_) => None,
        }
    }
}

/// A message of the chat.
pub(crate) struct Found {
    pub author: Phone,
    pub own: bool,
    pub message: wa::Message,
}

impl Found {
    /// As the phone names it. In a group the author stands beside the id, unless it is the phone itself.
    pub(crate) fn key(&self, place: Place<'_>, id: &str) -> wa::MessageKey {
        let named = matches!(place, Place::Group(_)) && !self.own;
        wa::MessageKey {
            remote_jid: Some(place.jid().to_string()),
            from_me: Some(self.own),
            id: Some(id.to_owned()),
            participant: named.then(|| self.author.jid(place.form()).to_string()),
        }
    }
}

/// The message of this id, which the phone, another device of its account or somebody else wrote in the chat.
pub(crate) fn find(
    turn: &Turn<'_>,
    phone: &Phone,
    place: Place<'_>,
    id: &str,
) -> Result<Option<Found>, Failure> {
    let sent = turn.db.one(
        "SELECT content FROM sent WHERE phone = ? AND whatsapp_id = ? AND group_chat IS ? AND (group_chat IS NOT NULL OR recipient = ?)",
        (phone.id, id, place.group(), place.person()),
        |row| row.get::<_, Vec<u8>>(0),
    )?;
    if let Some(content) = sent {
        let message = wa::Message::decode_from_slice(&content).map_err(Failure::protocol)?;
        return Ok(Some(Found { author: phone.clone(), own: true, message }));
    }
    let received = turn.db.one(
        "SELECT sender, text, message FROM inbox WHERE phone = ? AND whatsapp_id = ? AND group_chat IS ? AND (group_chat IS NOT NULL OR sender = ?)",
        (phone.id, id, place.group(), place.person()),
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, Option<Vec<u8>>>(2)?)),
    )?;
    let Some((sender, text, kept)) = received else { return Ok(None) };
    let Some(author) = phones::by_id(turn, sender)? else { return Ok(None) };
    let message = match kept {
        Some(kept) => wa::Message::decode_from_slice(&kept).map_err(Failure::protocol)?,
        None => wa::Message { conversation: text, ..Default::default() },
    };
    Ok(Some(Found { author, own: false, message }))
}

/// The same, refused when there is none.
pub(crate) fn required(turn: &Turn<'_>, phone: &Phone, place: Place<'_>, id: &str) -> Result<Found, Failure> {
    find(turn, phone, place, id)?.ok_or_else(|| {
        Refusal::new(404, "message_not_found", "this chat has no such message").at("/target").into()
    })
}

/// A message as the phone keeps it: without envelopes, and with the secret that may stand on one of them. One that is too
/// large, a long text or one with a large picture in it, is not kept.
pub(crate) fn kept(message: &wa::Message) -> Option<Vec<u8>> {
    let mut kept = content::inner(message).clone();
    if let Some(secret) = content::secret(message) {
        let context = wa::MessageContextInfo { message_secret: Some(secret.to_vec()), ..Default::default() };
        kept.message_context_info = MessageField::some(context);
    }
    let kept = kept.encode_to_vec();
    (kept.len() <= limits::KEPT_MESSAGE_BYTES).then_some(kept)
}
