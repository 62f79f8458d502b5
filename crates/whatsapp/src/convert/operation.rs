//! What is done to messages.

use buffa::MessageField;
use wa::message::{ProtocolMessage, ReactionMessage, protocol_message::Type as ProtocolType};
use waproto::whatsapp as wa;
use waxwing_domain::{Jid, Person, Text, Timestamp, message::Operation};

use super::{
    address::{KnownAddresses, person},
    content, to_library,
};
use crate::inbound::ObservedOperation;
use crate::outgoing::Outgoing;

/// What a message does to another one; `None` when it does nothing of the kind. `chat` and `from` are those of the message
/// that does it, `from_me` says that the account's owner wrote it, and `me` is the owner.
pub(crate) fn from_proto(
    message: &wa::Message,
    (chat, from, from_me): (&Person, &Person, bool),
    me: Option<&Person>,
    state: &dyn KnownAddresses,
) -> Option<ObservedOperation> {
    let (key, operation) = if let Some(reaction) = message.reaction_message.as_option() {
        (&reaction.key, Operation::React { emoji: reaction.text.clone().unwrap_or_default() })
    } else {
        let protocol = message.protocol_message.as_option()?;
        let operation = match protocol.r#type? {
            ProtocolType::REVOKE => Operation::Delete,
            ProtocolType::MESSAGE_EDIT => {
                let edited = content::from_proto(protocol.edited_message.as_option()?)?;
                Operation::Edit { text: Text(edited.text()?.to_owned()) }
            },
            _ => return None,
        };
        (&protocol.key, operation)
    };
    let key = key.as_option()?;
    let participant = key.participant.as_deref().filter(|jid| !jid.is_empty());
    // The key is written from the point of view of whoever does it.
    let author = match (key.from_me.unwrap_or(false), participant) {
        (true, _) => (!from_me).then(|| from.clone()),
        (false, Some(participant)) => {
            let author = person(&participant.parse().ok()?, None, state)?;
            let is_me =
                me.is_some_and(|me| me.jid == author.jid || (me.lid.is_some() && me.lid == author.lid));
            (!is_me).then_some(author)
        },
        // In a chat of two the other one wrote it.
        (false, None) => from_me.then(|| chat.clone()),
    };
    Some(ObservedOperation { target: key.id.clone()?, author, operation, as_admin: false })
}

/// What is done, as WhatsApp's message. `author` wrote the message to which it is done, where the owner did not.
pub(super) fn to_proto(chat: &Jid, outgoing: &Outgoing) -> Option<wa::Message> {
    let Outgoing::Operation { operation, target, author, at } = outgoing else { return None };
    let key = wa::MessageKey {
        remote_jid: Some(to_library(chat).to_string()),
        from_me: Some(author.is_none()),
        id: Some(target.clone()),
        // In a chat of two it is clear who wrote it.
        participant: author.as_ref().filter(|_| !chat.is_person()).map(|jid| to_library(jid).to_string()),
    };
    let key = MessageField::some(key);
    Some(match operation {
        Operation::React { emoji } => reaction(key, emoji, *at),
        Operation::Delete => {
            protocol(ProtocolMessage { key, r#type: Some(ProtocolType::REVOKE), ..Default::default() })
        },
        Operation::Edit { text } => protocol(ProtocolMessage {
            key,
            r#type: Some(ProtocolType::MESSAGE_EDIT),
            edited_message: MessageField::some(wa::Message {
                conversation: Some(text.0.clone()),
                ..Default::default()
            }),
            timestamp_ms: Some(at.as_millisecond()),
            ..Default::default()
        }),
    })
}

fn reaction(key: MessageField<wa::MessageKey>, emoji: &str, at: Timestamp) -> wa::Message {
    let reaction = ReactionMessage {
        key,
        text: Some(emoji.to_owned()),
        sender_timestamp_ms: Some(at.as_millisecond()),
        ..Default::default()
    };
    wa::Message { reaction_message: MessageField::some(reaction), ..Default::default() }
}

fn protocol(protocol: ProtocolMessage) -> wa::Message {
    wa::Message { protocol_message: MessageField::some(protocol), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::address::NothingKnown;

    fn person(number: &str) -> Person {
        Person::from_jid(jid(number))
    }

    fn jid(number: &str) -> Jid {
        Jid::parse(&format!("{number}@s.whatsapp.net")).unwrap()
    }

    const ME: &str = "15550002222";
    const ADA: &str = "15550001111";
    const BOB: &str = "15550003333";

    fn operations() -> [Operation; 4] {
        let react = |emoji: &str| Operation::React { emoji: emoji.to_owned() };
        [react("👍"), react(""), Operation::Delete, Operation::Edit { text: Text("Hi!".to_owned()) }]
    }

    /// What Ada, or the owner's phone, sees of what this device does, and the other way round.
    fn observed(chat: &Jid, operation: &Operation, author: Option<Jid>, by: &str) -> ObservedOperation {
        let (target, at) = ("3EB0AA".to_owned(), Timestamp::from_second(1_800_000_000).unwrap());
        let outgoing = Outgoing::Operation { operation: operation.clone(), target, author, at };
        let proto = to_proto(chat, &outgoing).unwrap();
        let in_chat = match chat.is_person() {
            true => Person::from_jid(if by == ME { jid(ADA) } else { jid(by) }),
            false => Person::from_jid(chat.clone()),
        };
        let seen = (&in_chat, &person(by), by == ME);
        from_proto(&proto, seen, Some(&person(ME)), &NothingKnown).unwrap()
    }

    #[test]
    fn what_is_done_to_an_own_message_is_understood_on_the_other_side() {
        let group = Jid::parse("120363000000000001@g.us").unwrap();
        for operation in operations() {
            for chat in [jid(ADA), group.clone()] {
                let seen = observed(&chat, &operation, None, ADA);
                assert_eq!((seen.operation, seen.target.as_str()), (operation.clone(), "3EB0AA"));
                assert_eq!(seen.author, Some(person(ADA)), "who does it wrote the message");
                assert_eq!(observed(&chat, &operation, None, ME).author, None);
            }
        }
    }

    #[test]
    fn whose_message_it_is_follows_from_the_chat_or_is_said() {
        let group = Jid::parse("120363000000000001@g.us").unwrap();
        let react = &operations()[0];
        assert_eq!(
            observed(&jid(ADA), react, Some(jid(ADA)), ADA).author,
            None,
            "mine, in her eyes another's"
        );
        assert_eq!(observed(&jid(ADA), react, Some(jid(ADA)), ME).author, Some(person(ADA)));
        assert_eq!(observed(&group, react, Some(jid(BOB)), ADA).author, Some(person(BOB)));
        assert_eq!(observed(&group, react, Some(jid(ME)), ADA).author, None);
    }
}
