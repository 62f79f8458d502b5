//! History: what a phone hands over to a device that it has just linked, in the parts that clients wait for. A small part
//! comes inside the message, a large one as a file.

use std::collections::BTreeMap;

use buffa::{Message as _, MessageField};
use wacore::download::MediaType;
use waproto::whatsapp as wa;
use waproto::whatsapp::history_sync::HistorySyncType as Contained;
use waproto::whatsapp::message::HistorySyncType as Announced;
use waproto::whatsapp::message::protocol_message::Type;

use crate::content;
use crate::error::{Failure, Refusal};
use crate::groups;
use crate::limits;
use crate::media;
use crate::phone_handle::PhoneHandle;
use crate::phones::{self, Form, Phone};
use crate::store::Query;
use crate::turn::Turn;

/// Bytes of a part that still comes inside its message.
const INLINE_BYTES: usize = 32 * 1024;
/// Bytes of a block that is stored as it is (RFC 1951).
const BLOCK_BYTES: usize = 65_535;

/// The messages that announce the history, in their order.
pub(crate) fn parts(
    turn: &mut Turn<'_>,
    phone: &Phone,
) -> Result<Vec<wa::message::ProtocolMessage>, Failure> {
    // Without a name of its own, a client takes every login for its first one and waits for keys again.
    let own = wa::Pushname {
        id: Some(phone.jid(Form::Pn).to_string()),
        pushname: Some(phone.push_name().to_owned()),
    };
    let names = wa::HistorySync { pushnames: vec![own], ..Default::default() };
    let recent = wa::HistorySync { conversations: recent(turn, phone)?, ..Default::default() };
    Ok(vec![
        part(turn, phone, Announced::INITIAL_BOOTSTRAP, Contained::INITIAL_BOOTSTRAP, Default::default())?,
        part(turn, phone, Announced::PUSH_NAME, Contained::PUSH_NAME, names)?,
        part(turn, phone, Announced::RECENT, Contained::RECENT, recent)?,
    ])
}

fn part(
    turn: &mut Turn<'_>,
    phone: &Phone,
    announced: Announced,
    contained: Contained,
    content: wa::HistorySync,
) -> Result<wa::message::ProtocolMessage, Failure> {
    let content =
        wa::HistorySync { sync_type: contained, chunk_order: Some(1), progress: Some(100), ..content };
    let packed = zlib_stored(&content.encode_to_vec());
    let mut notification = wa::message::HistorySyncNotification {
        sync_type: Some(announced),
        chunk_order: Some(1),
        progress: Some(100),
        ..Default::default()
    };
    if packed.len() <= INLINE_BYTES {
        notification.initial_hist_bootstrap_inline_payload = Some(packed);
    } else {
        let file = media::seal(turn, phone.network, MediaType::History, &packed)?;
        notification.file_sha256 = Some(file.hash);
        notification.file_length = Some(file.size);
        notification.media_key = Some(file.key);
        notification.file_enc_sha256 = Some(file.sealed_hash);
        notification.direct_path = Some(file.direct_path);
    }
    Ok(wa::message::ProtocolMessage {
        r#type: Some(Type::HISTORY_SYNC_NOTIFICATION),
        history_sync_notification: MessageField::some(notification),
        ..Default::default()
    })
}

/// A message of the phone's past.
struct Past {
    at: i64,
    chat: String,
    info: wa::WebMessageInfo,
}

/// The newest texts that the phone got and sent, as many as it is set to hand over, by chat.
fn recent(turn: &Turn<'_>, phone: &Phone) -> Result<Vec<wa::Conversation>, Failure> {
    let limit = turn.db.number("SELECT history_messages FROM phone WHERE id = ?", [phone.id])?;
    let mut past = received(turn, phone, limit)?;
    past.extend(sent(turn, phone, limit)?);
    past.sort_by_key(|message| std::cmp::Reverse(message.at));
    past.truncate(usize::try_from(limit).unwrap_or(0));
    let mut chats: BTreeMap<String, wa::Conversation> = BTreeMap::new();
    for (order, message) in (1_u64..).zip(past) {
        let chat = chats.entry(message.chat.clone()).or_insert_with(|| wa::Conversation {
            id: message.chat,
            conversation_timestamp: message.info.message_timestamp,
            ..Default::default()
        });
        chat.messages.push(wa::HistorySyncMsg {
            message: MessageField::some(message.info),
            msg_order_id: Some(order),
        });
    }
    Ok(chats.into_values().collect())
}

fn received(turn: &Turn<'_>, phone: &Phone, limit: i64) -> Result<Vec<Past>, Failure> {
    let rows = turn.db.all(
        "SELECT whatsapp_id, sender, group_chat, text, received_at FROM inbox WHERE phone = ? AND type = 'text' AND text IS NOT NULL ORDER BY seq DESC LIMIT ?",
        (phone.id, limit),
        |row| {
            let group: Option<i64> = row.get(2)?;
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, group, row.get::<_, String>(3)?, row.get::<_, i64>(4)?))
        },
    )?;
    let mut past = Vec::with_capacity(rows.len());
    for (id, sender, group, text, at) in rows {
        let Some(sender) = phones::by_id(turn, sender)? else { continue };
        let Some(chat) = chat(turn, &sender, group)? else { continue };
        let participant = group.is_some().then(|| sender.jid(Form::Pn).to_string());
        past.push(message(chat, id, false, participant, sender.name.clone(), content::text(&text), at));
    }
    Ok(past)
}

fn sent(turn: &Turn<'_>, phone: &Phone, limit: i64) -> Result<Vec<Past>, Failure> {
    let rows = turn.db.all(
        "SELECT whatsapp_id, recipient, group_chat, content, sent_at FROM sent WHERE phone = ? ORDER BY seq DESC LIMIT ?",
        (phone.id, limit),
        |row| {
            let group: Option<i64> = row.get(2)?;
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, group, row.get::<_, Vec<u8>>(3)?, row.get::<_, i64>(4)?))
        },
    )?;
    let mut past = Vec::with_capacity(rows.len());
    for (id, recipient, group, content, at) in rows {
        let Some(recipient) = phones::by_id(turn, recipient)? else { continue };
        let Some(chat) = chat(turn, &recipient, group)? else { continue };
        let content = wa::Message::decode_from_slice(&content).map_err(Failure::protocol)?;
        past.push(message(chat, id, true, None, None, content, at));
    }
    Ok(past)
}

/// The chat's address; none when its group is gone.
fn chat(turn: &Turn<'_>, other: &Phone, group: Option<i64>) -> Result<Option<String>, Failure> {
    match group {
        Some(group) => Ok(groups::by_id(turn, group)?.map(|group| group.jid().to_string())),
        None => Ok(Some(other.jid(Form::Pn).to_string())),
    }
}

fn message(
    chat: String,
    id: String,
    from_me: bool,
    participant: Option<String>,
    push_name: Option<String>,
    content: wa::Message,
    at: i64,
) -> Past {
    let key = wa::MessageKey {
        remote_jid: Some(chat.clone()),
        from_me: Some(from_me),
        id: Some(id),
        participant: participant.clone(),
    };
    let info = wa::WebMessageInfo {
        key: MessageField::some(key),
        message: MessageField::some(content),
        message_timestamp: u64::try_from(at / 1_000).ok(),
        participant,
        push_name,
        ..Default::default()
    };
    Past { at, chat, info }
}

/// RFC 1950 with stored blocks only: nobody gains anything from compressing here.
fn zlib_stored(content: &[u8]) -> Vec<u8> {
    let (low, high) = content.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    let mut zlib = vec![0x78, 0x01];
    let blocks = content.len().div_ceil(BLOCK_BYTES).max(1);
    for index in 0..blocks {
        let block = &content[index * BLOCK_BYTES..content.len().min((index + 1) * BLOCK_BYTES)];
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        zlib.push(u8::from(index + 1 == blocks));
        zlib.extend(length.to_le_bytes());
        zlib.extend((!length).to_le_bytes());
        zlib.extend(block);
    }
    zlib.extend((high << 16 | low).to_be_bytes());
    zlib
}

impl PhoneHandle {
    /// How many of its newest texts the phone hands over to each device that is linked from now on; none by default.
    ///
    /// # Errors
    /// `phone_not_found`, or an invalid field.
    pub async fn hand_over_history(&self, messages: i64) -> Result<(), Refusal> {
        if !(0..=limits::HISTORY_MESSAGES).contains(&messages) {
            return Err(Refusal::field("/messages", format!("0 to {}", limits::HISTORY_MESSAGES)));
        }
        self.call(move |turn, phone| {
            let sql = "UPDATE phone SET history_messages = ? WHERE id = ?";
            Ok(turn.db.run(sql, (messages, phone.id)).map(drop)?)
        })
        .await
    }
}
