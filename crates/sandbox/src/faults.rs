//! Faults on demand: what the network does wrong, for how long or how often.

use serde::{Deserialize, Serialize};

use wacore_binary::{Node, NodeContent};

use crate::clock::rfc3339;
use crate::error::{Failure, Refusal};
use crate::live::{Address, ConnectionId};
use crate::store::Query;
use crate::turn::Turn;
use crate::{devices, limits, media, phones, signal, stanza};

/// A fault as it is asked for.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRequest {
    /// `drop_connections`, `log_out`, `replace` (at once); `refuse_connections`, `client_outdated`,
    /// `restrict`, `duplicate`, `lose_ack`, `corrupt` (until used up or over).
    pub kind: String,
    /// Only this phone's companions; the whole network when absent.
    pub number: Option<String>,
    /// How many times; 1 when neither this nor `for_s` is given.
    pub count: Option<i64>,
    /// For how many seconds.
    pub for_s: Option<i64>,
}

/// A fault that is in force.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// As asked for.
    pub kind: String,
    /// The phone, if it is only one.
    pub number: Option<String>,
    /// How many times it will still happen.
    pub remaining: Option<i64>,
    /// When it ends.
    pub ends_at: Option<String>,
}

const LASTING: [&str; 6] =
    ["refuse_connections", "client_outdated", "restrict", "duplicate", "lose_ack", "corrupt"];
/// Those of them that strike what passes, not who connects.
const OF_STANZAS: [&str; 3] = ["duplicate", "lose_ack", "corrupt"];
const AT_ONCE: [&str; 4] = ["drop_connections", "log_out", "replace", "media_gone"];

/// Does a fault, or puts it in force.
pub(crate) fn inject(turn: &mut Turn<'_>, network: i64, request: &FaultRequest) -> Result<(), Failure> {
    let phone = match &request.number {
        Some(number) => Some(phones::required(turn, network, &phones::digits(number)?)?.id),
        None => None,
    };
    if request.count.is_some_and(|count| !(1..=1_000_000).contains(&count)) {
        return Err(Refusal::field("/count", "1 to 1,000,000").into());
    }
    if request.for_s.is_some_and(|seconds| !(1..=limits::DELAY_MS / 1_000).contains(&seconds)) {
        return Err(Refusal::field("/for_s", "1 to 86,400 seconds").into());
    }
    let kind = request.kind.as_str();
    if AT_ONCE.contains(&kind) {
        return at_once(turn, network, phone, kind);
    }
    if !LASTING.contains(&kind) {
        let known = AT_ONCE.iter().chain(&LASTING).copied().collect::<Vec<_>>().join(", ");
        return Err(Refusal::new(
            422,
            "not_supported",
            format!("this build has no fault {kind:?}; it has {known}"),
        )
        .at("/kind")
        .into());
    }
    if turn.db.number("SELECT count(*) FROM fault WHERE network = ?", [network])? >= limits::FAULTS {
        return Err(Refusal::new(
            409,
            "fault_limit",
            format!("a network has up to {} faults", limits::FAULTS),
        )
        .into());
    }
    let remaining = if request.for_s.is_none() { Some(request.count.unwrap_or(1)) } else { request.count };
    let until = request.for_s.map(|seconds| turn.now + seconds * 1_000);
    turn.db.run(
        "INSERT INTO fault (network, kind, phone, remaining, until_at) VALUES (?, ?, ?, ?, ?)",
        (network, kind, phone, remaining, until),
    )?;
    if !OF_STANZAS.contains(&kind) {
        // These show at the next connect; without this there might be none.
        at_once(turn, network, phone, "drop_connections")?;
    }
    Ok(())
}

fn at_once(turn: &mut Turn<'_>, network: i64, phone: Option<i64>, kind: &str) -> Result<(), Failure> {
    if kind == "media_gone" {
        return media::lose(turn, network);
    }
    if kind == "log_out" {
        let linked = turn.db.all("SELECT device.phone, device.id FROM device JOIN phone ON phone.id = device.phone WHERE phone.network = ?", [network], |row| {
            Ok(Address { phone: row.get(0)?, device: row.get(1)? })
        })?;
        for address in linked.into_iter().filter(|address| phone.is_none_or(|phone| phone == address.phone)) {
            devices::remove(turn, address)?;
        }
        return Ok(());
    }
    let mut open: Vec<ConnectionId> = turn
        .live
        .sockets
        .iter()
        .filter(|(_, socket)| {
            socket.network == network
                && phone.is_none_or(|phone| socket.address.is_some_and(|address| address.phone == phone))
        })
        .map(|(id, _)| *id)
        .collect();
    open.sort_unstable();
    for connection in open {
        if kind == "replace" {
            turn.send(connection, stanza::conflict("replaced"));
        }
        turn.close(connection);
    }
    Ok(())
}

/// Whether a fault strikes now; uses up one of its times.
pub(crate) fn applies(turn: &Turn<'_>, kind: &str, phone: i64) -> Result<bool, Failure> {
    let network = turn.db.number("SELECT network FROM phone WHERE id = ?", [phone])?;
    strike(turn, network, Some(phone), kind).map(|struck| struck.is_some())
}

/// The same for a connection that has no phone yet. Gives when the fault ends, or now when it does not say.
pub(crate) fn strike(
    turn: &Turn<'_>,
    network: i64,
    phone: Option<i64>,
    kind: &str,
) -> Result<Option<i64>, Failure> {
    let found = turn.db.one(
        "SELECT seq, remaining, until_at FROM fault WHERE network = ? AND kind = ? AND (phone IS NULL OR phone = ?) AND (until_at IS NULL OR until_at > ?) ORDER BY seq LIMIT 1",
        (network, kind, phone, turn.now),
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, Option<i64>>(2)?)),
    )?;
    let Some((seq, remaining, until)) = found else { return Ok(None) };
    match remaining {
        Some(..=1) => turn.db.run("DELETE FROM fault WHERE seq = ?", [seq])?,
        Some(_) => turn.db.run("UPDATE fault SET remaining = remaining - 1 WHERE seq = ?", [seq])?,
        None => 0,
    };
    Ok(Some(until.unwrap_or(turn.now)))
}

/// Damages what was encrypted for the phone or one of its companions, when the fault `corrupt` strikes: the device
/// must ask for it again. Content that goes between devices of one account by itself is left alone.
pub(crate) fn corrupted(turn: &Turn<'_>, phone: i64, mut stanza: Node) -> Result<Node, Failure> {
    let peer = stanza.attrs.get("category").is_some_and(|category| category == "peer");
    if peer || !applies(turn, "corrupt", phone)? {
        return Ok(stanza);
    }
    if let Some(NodeContent::Nodes(children)) = &mut stanza.content {
        for child in children.iter_mut().filter(|child| child.tag == "enc") {
            let kind = child.attrs.get("type").map(|kind| kind.as_str().into_owned()).unwrap_or_default();
            if let Some(NodeContent::Bytes(bytes)) = &mut child.content {
                signal::damage(&kind, bytes);
            }
        }
    }
    Ok(stanza)
}

/// What is in force.
pub(crate) fn list(turn: &Turn<'_>, network: i64) -> Result<Vec<Fault>, Failure> {
    turn.db.run("DELETE FROM fault WHERE network = ? AND until_at <= ?", (network, turn.now))?;
    Ok(turn.db.all("SELECT kind, (SELECT '+' || number FROM phone WHERE phone.id = fault.phone), remaining, until_at FROM fault WHERE network = ? ORDER BY seq", [network], |row| {
        Ok(Fault { kind: row.get(0)?, number: row.get(1)?, remaining: row.get(2)?, ends_at: row.get::<_, Option<i64>>(3)?.map(rfc3339) })
    })?)
}

pub(crate) fn clear(turn: &Turn<'_>, network: i64) -> Result<(), Failure> {
    turn.db.run("DELETE FROM fault WHERE network = ?", [network])?;
    Ok(())
}
