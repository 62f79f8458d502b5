//! Bringing a stanza to a device: it is queued first, and stays until the device has acknowledged it.

use wacore_binary::Node;

use crate::error::Failure;
use crate::live::Address;
use crate::stanza::{self, Read};
use crate::store::Query;
use crate::turn::Turn;
use crate::{faults, limits};

/// Queues a stanza for a companion, and sends it when the device is there.
pub(crate) fn to_companion(turn: &mut Turn<'_>, to: Address, stanza: Node) -> Result<(), Failure> {
    enqueue(turn, to, &stanza)?;
    if let Some(connection) = turn.active_socket(to) {
        if faults::applies(turn, "duplicate", to.phone)? {
            turn.send(connection, stanza.clone());
        }
        turn.send(connection, stanza);
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

/// Adds to a device's queue. A full queue loses its oldest stanza.
pub(crate) fn enqueue(turn: &mut Turn<'_>, to: Address, stanza: &Node) -> Result<(), Failure> {
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
    turn.live.queued.insert(to, length + 1);
    Ok(())
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
