//! The ledger: for each message, what the network did with it. The judge in every reliability test.

use serde::Serialize;

use crate::error::Failure;
use crate::limits;
use crate::store::Query;
use crate::turn::Turn;

/// One message between two people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LedgerEntry {
    /// The id that its sender gave it.
    pub whatsapp_id: String,
    /// `+E.164`.
    pub from: String,
    /// `+E.164`. A message to a group has an entry for each member.
    pub to: String,
    /// The group's address, if it was written in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How often the network accepted it. What a recipient asked for again does not count.
    pub accepted: i64,
    /// How many devices of the recipient, its phone included, reported it as delivered.
    pub delivered: i64,
    /// How many reported it as read.
    pub read: i64,
    /// How often the recipient's phone was handed it.
    pub copies: i64,
}

/// Who sent what to whom.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a> {
    pub sender: i64,
    pub recipient: i64,
    pub whatsapp_id: &'a str,
}

/// The network took a message.
pub(crate) fn accepted(turn: &Turn<'_>, network: i64, key: Key<'_>) -> Result<(), Failure> {
    accepted_in(turn, network, None, key)
}

/// The network took a message, in a group where there is one.
pub(crate) fn accepted_in(
    turn: &Turn<'_>,
    network: i64,
    group: Option<i64>,
    key: Key<'_>,
) -> Result<(), Failure> {
    let seq = turn.db.number(
        "INSERT INTO ledger (network, sender, recipient, whatsapp_id, group_chat, accepted) VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET accepted = accepted + 1 RETURNING seq",
        (network, key.sender, key.recipient, key.whatsapp_id, group),
    )?;
    // Sequence numbers are shared by all networks, so this is a bound on the whole table too.
    if let Some(oldest) = seq.checked_sub(limits::LEDGER).filter(|oldest| *oldest > 0) {
        turn.db.run("DELETE FROM ledger WHERE seq = ?", [oldest])?;
        turn.db.run("DELETE FROM reported WHERE ledger = ?", [oldest])?;
    }
    Ok(())
}

/// The recipient's phone was handed the message.
pub(crate) fn copied(turn: &Turn<'_>, key: Key<'_>) -> Result<(), Failure> {
    turn.db.run(
        "UPDATE ledger SET copies = copies + 1 WHERE sender = ? AND recipient = ? AND whatsapp_id = ?",
        (key.sender, key.recipient, key.whatsapp_id),
    )?;
    Ok(())
}

/// A device of the recipient reported a step; each counts once.
pub(crate) fn reported(
    turn: &Turn<'_>,
    key: Key<'_>,
    device: u16,
    receipt_type: &str,
) -> Result<(), Failure> {
    let (step, update) = match receipt_type {
        "" | "inactive" => ("delivered", "UPDATE ledger SET delivered = delivered + 1 WHERE seq = ?"),
        "read" | "played" => ("read", "UPDATE ledger SET read = read + 1 WHERE seq = ?"),
        _ => return Ok(()),
    };
    let found = turn.db.one(
        "SELECT seq FROM ledger WHERE sender = ? AND recipient = ? AND whatsapp_id = ?",
        (key.sender, key.recipient, key.whatsapp_id),
        |row| row.get::<_, i64>(0),
    )?;
    if let Some(seq) = found
        && turn.db.run(
            "INSERT OR IGNORE INTO reported (ledger, device, step) VALUES (?, ?, ?)",
            (seq, device, step),
        )? > 0
    {
        turn.db.run(update, [seq])?;
    }
    Ok(())
}

/// Entries after `after`, oldest first, each with its sequence number.
pub(crate) fn page(
    turn: &Turn<'_>,
    network: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, LedgerEntry)>, Failure> {
    let sql = "SELECT seq, whatsapp_id, (SELECT '+' || number FROM phone WHERE id = sender), (SELECT '+' || number FROM phone WHERE id = recipient), accepted, delivered, read, copies, (SELECT user || '@g.us' FROM group_chat WHERE id = ledger.group_chat) \
               FROM ledger WHERE network = ? AND seq > ? ORDER BY seq LIMIT ?";
    Ok(turn.db.all(sql, (network, after, limit), |row| {
        let entry = LedgerEntry {
            whatsapp_id: row.get(1)?,
            from: row.get(2)?,
            to: row.get(3)?,
            accepted: row.get(4)?,
            delivered: row.get(5)?,
            read: row.get(6)?,
            copies: row.get(7)?,
            group: row.get(8)?,
        };
        Ok((row.get(0)?, entry))
    })?)
}
