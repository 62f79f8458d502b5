//! Bringing a stanza to a device: it is queued first, and stays until the device has acknowledged it.

use wacore_binary::Node;

use crate::error::Failure;
use crate::live::Address;
use crate::schedule::{self, Action};
use crate::stanza::{self, Read};
use crate::store::Query;
use crate::turn::Turn;
use crate::{faults, limits, phones};

/// How long a stanza waits for the one that shall overtake it.
const REORDER_MS: i64 = 10_000;

/// Queues a stanza for a companion, and sends it when the device is there.
pub(crate) fn to_companion(turn: &mut Turn<'_>, to: Address, stanza: Node) -> Result<(), Failure> {
    let seq = enqueue(turn, to, &stanza)?;
    if let Some(connection) = turn.active_socket(to) {
        if let Some(after_ms) = faults::holds(turn, "delay", to.phone)? {
            return hold(turn, to, seq, after_ms);
        }
        if !turn.live.held.contains_key(&to) && faults::applies(turn, "reorder", to.phone)? {
            turn.live.held.insert(to, seq);
            // In case that nothing follows.
            return hold(turn, to, seq, REORDER_MS);
        }
        if faults::applies(turn, "duplicate", to.phone)? {
            turn.send(connection, stanza.clone());
        }
        turn.send(connection, stanza);
        if let Some(held) = turn.live.held.remove(&to) {
            release(turn, to, held)?;
        }
    }
    Ok(())
}

fn hold(turn: &mut Turn<'_>, to: Address, seq: i64, after_ms: i64) -> Result<(), Failure> {
    let Some(phone) = phones::by_id(turn, to.phone)? else { return Ok(()) };
    schedule::at(turn, &phone, after_ms, &Action::Release { device: to.device, seq })
}

/// Sends what was held back, unless the device has got it on another way meanwhile.
pub(crate) fn release(turn: &mut Turn<'_>, to: Address, seq: i64) -> Result<(), Failure> {
    if turn.live.held.get(&to) == Some(&seq) {
        turn.live.held.remove(&to);
    }
    let sql = "SELECT stanza FROM queue WHERE seq = ? AND phone = ? AND device = ?";
    let waiting = turn.db.one(sql, (seq, to.phone, to.device), |row| row.get::<_, Vec<u8>>(0))?;
    if let (Some(bytes), Some(connection)) = (waiting, turn.active_socket(to)) {
        turn.send(connection, stanza::decode(&bytes)?);
    }
    Ok(())
}

/// To all companions of a phone except one.
pub(crate) fn to_companions(
    turn: &mut Turn<'_>,
    phone: i64,
    except: Option<u16>,
    stanza: &Node,
) -> Result<(), Failure> {
    for device in crate::devices::companions(turn, phone)? {
        if Some(device) != except {
            to_companion(turn, Address { phone, device }, stanza.clone())?;
        }
    }
    Ok(())
}

/// Adds to a device's queue, gives its place. A full queue loses its oldest stanza.
pub(crate) fn enqueue(turn: &mut Turn<'_>, to: Address, stanza: &Node) -> Result<i64, Failure> {
    let mut length = match turn.live.queued.get(&to) {
        Some(length) => *length,
        None => turn
            .db
            .number("SELECT count(*) FROM queue WHERE phone = ? AND device = ?", (to.phone, to.device))?,
    };
    if length >= limits::QUEUE {
        tracing::warn!(device = to.device, "a device's queue is full; its oldest stanza is lost");
        turn.db.run(
            "DELETE FROM queue WHERE seq = (SELECT min(seq) FROM queue WHERE phone = ? AND device = ?)",
            (to.phone, to.device),
        )?;
        length -= 1;
    }
    turn.db.run(
        "INSERT INTO queue (phone, device, class, stanza_id, stanza_type, stanza) VALUES (?, ?, ?, ?, ?, ?)",
        (
            to.phone,
            to.device,
            stanza.tag.as_ref(),
            stanza.text("id").unwrap_or_default(),
            stanza.text("type").unwrap_or_default(),
            stanza::encode(stanza)?,
        ),
    )?;
    let seq = turn.db.last_insert_rowid();
    turn.live.queued.insert(to, length + 1);
    Ok(seq)
}

/// A message that the device has received, or cannot use: every copy of it goes.
pub(crate) fn message_done(turn: &mut Turn<'_>, device: Address, id: &str) -> Result<(), Failure> {
    let gone = turn.db.run(
        "DELETE FROM queue WHERE phone = ? AND device = ? AND stanza_id = ? AND class = 'message'",
        (device.phone, device.device, id),
    )?;
    shorten(turn, device, gone);
    Ok(())
}

/// Another stanza that the device acknowledged. Two receipts may share an id and a type; one goes at a time.
pub(crate) fn acknowledged(
    turn: &mut Turn<'_>,
    device: Address,
    class: &str,
    id: &str,
    kind: &str,
) -> Result<(), Failure> {
    let gone = turn.db.run(
        "DELETE FROM queue WHERE seq = (SELECT min(seq) FROM queue WHERE phone = ? AND device = ? AND stanza_id = ? AND class = ? AND (stanza_type = ? OR ? = ''))",
        (device.phone, device.device, id, class, kind, kind),
    )?;
    shorten(turn, device, gone);
    Ok(())
}

fn shorten(turn: &mut Turn<'_>, device: Address, by: usize) {
    if let Some(length) = turn.live.queued.get_mut(&device) {
        *length -= i64::try_from(by).unwrap_or(0);
    }
}

/// What waits for a device, oldest first.
pub(crate) fn waiting(
    turn: &Turn<'_>,
    device: Address,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, Node)>, Failure> {
    let rows = turn.db.all(
        "SELECT seq, stanza FROM queue WHERE phone = ? AND device = ? AND seq > ? ORDER BY seq LIMIT ?",
        (device.phone, device.device, after, limit),
        |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)),
    )?;
    rows.into_iter().map(|(seq, bytes)| Ok((seq, stanza::decode(&bytes)?))).collect()
}

/// Whether anything waits for a device.
pub(crate) fn is_waiting(turn: &Turn<'_>, device: Address) -> Result<bool, Failure> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM queue WHERE phone = ? AND device = ? LIMIT 1)";
    Ok(turn.db.number(sql, (device.phone, device.device))? > 0)
}
