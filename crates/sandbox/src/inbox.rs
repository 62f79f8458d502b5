//! What a phone received from others. What its owner sent from a companion is no part of it.

use serde::Serialize;
use serde_json::Value;

use crate::clock::rfc3339;
use crate::error::Failure;
use crate::limits;
use crate::media::{MediaInfo, Reference};
use crate::phones::Phone;
use crate::store::Query;
use crate::turn::Turn;

/// One message, as the phone decrypted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InboxEntry {
    /// The id that its sender gave it.
    pub whatsapp_id: String,
    /// `+E.164` of the person who wrote it.
    pub from: String,
    /// `+E.164` of the other party, or the address of the group.
    pub chat: String,
    /// `text`, `image`, `reaction`, … as in the public API.
    pub r#type: String,
    /// The text, or a caption.
    pub text: Option<String>,
    /// The id of the message that it is about: answered, reacted to, edited or deleted.
    pub target: Option<String>,
    /// The file, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaInfo>,
    /// What else is in it, by the names of its kind: the options of a poll, say. Absent when there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// RFC 3339.
    pub received_at: String,
    /// How often the phone was handed this id.
    pub copies: i64,
}

/// Whether the phone has the message already.
pub(crate) fn has(turn: &Turn<'_>, phone: i64, sender: i64, whatsapp_id: &str) -> Result<bool, Failure> {
    Ok(turn.db.number(
        "SELECT count(*) FROM inbox WHERE phone = ? AND sender = ? AND whatsapp_id = ?",
        (phone, sender, whatsapp_id),
    )? > 0)
}

/// What is in a message.
#[derive(Clone, Copy)]
pub(crate) struct Content<'a> {
    pub kind: &'a str,
    pub text: Option<&'a str>,
    pub target: Option<&'a str>,
    pub media: Option<&'a Reference>,
    pub fields: Option<&'a Value>,
    /// The message itself, where it is kept.
    pub message: Option<&'a [u8]>,
}

/// Puts a message into the inbox, or counts another copy of it. `true` when it is new.
pub(crate) fn put(
    turn: &Turn<'_>,
    phone: &Phone,
    sender: &Phone,
    group: Option<i64>,
    whatsapp_id: &str,
    content: Content<'_>,
) -> Result<bool, Failure> {
    let again = turn.db.run(
        "UPDATE inbox SET copies = copies + 1 WHERE phone = ? AND sender = ? AND whatsapp_id = ?",
        (phone.id, sender.id, whatsapp_id),
    )?;
    if again > 0 {
        return Ok(false);
    }
    let media = content.media.map(serde_json::to_string).transpose().map_err(Failure::protocol)?;
    let fields = content.fields.map(serde_json::to_string).transpose().map_err(Failure::protocol)?;
    turn.db.run(
        "INSERT INTO inbox (phone, sender, group_chat, whatsapp_id, type, text, target, media, content, message, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (phone.id, sender.id, group, whatsapp_id, content.kind, content.text, content.target, media, fields, content.message, turn.now),
    )?;
    // Sequence numbers are shared by all phones, so this is a bound on the whole table too.
    turn.db.run("DELETE FROM inbox WHERE seq = ?", [turn.db.last_insert_rowid() - limits::INBOX])?;
    Ok(true)
}

/// Entries after `after`, oldest first, each with its sequence number.
pub(crate) fn page(
    turn: &Turn<'_>,
    phone: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, InboxEntry)>, Failure> {
    let sql = "SELECT inbox.seq, whatsapp_id, '+' || number, type, text, received_at, copies, (SELECT user || '@g.us' FROM group_chat WHERE id = inbox.group_chat), media, target, content FROM inbox JOIN phone ON phone.id = inbox.sender WHERE inbox.phone = ? AND inbox.seq > ? ORDER BY inbox.seq LIMIT ?";
    Ok(turn.db.all(sql, (phone, after, limit), |row| {
        let from: String = row.get(2)?;
        let entry = InboxEntry {
            whatsapp_id: row.get(1)?,
            chat: row.get::<_, Option<String>>(7)?.unwrap_or_else(|| from.clone()),
            from,
            r#type: row.get(3)?,
            text: row.get(4)?,
            target: row.get(9)?,
            media: row
                .get::<_, Option<String>>(8)?
                .and_then(|media| serde_json::from_str::<Reference>(&media).ok())
                .map(|media| media.info()),
            content: row
                .get::<_, Option<String>>(10)?
                .and_then(|content| serde_json::from_str(&content).ok()),
            received_at: rfc3339(row.get(5)?),
            copies: row.get(6)?,
        };
        Ok((row.get(0)?, entry))
    })?)
}
