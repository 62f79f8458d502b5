//! Faults on demand: what the network does wrong, for how long or how often.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use wacore_binary::{Node, NodeContent};

use crate::clock::rfc3339;
use crate::error::{Failure, Refusal};
use crate::live::{Address, ConnectionId};
use crate::schedule::{self, Action};
use crate::store::Query;
use crate::turn::Turn;
use crate::{devices, incoming, limits, media, phones, signal, stanza};

/// A fault as it is asked for.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRequest {
    /// At once: `drop_connections`, `log_out` (401), `replace` (409), `media_gone`, `pre_keys_exhausted`.
    /// Until used up or over: `refuse_connections`, `client_outdated` (405), `service_unavailable` (503), `restrict`
    /// (402, a temporary ban), `duplicate`, `delay`, `reorder`, `lose_ack`, `corrupt`, `limit_unanswered` (463), `slow_phone`,
    /// `never_online`, `passkey` (a scanned code asks for a passkey).
    pub kind: String,
    /// Only this phone, or its companions; the whole network when absent.
    pub number: Option<String>,
    /// How many times; 1 when neither this nor `for_s` is given. `never_online` lasts until it is cleared.
    pub count: Option<i64>,
    /// For how many seconds.
    pub for_s: Option<i64>,
    /// Of `delay` and `slow_phone`: for how long each is held back, 1 to 86,400,000 ms; 1,000 when absent.
    pub delay_ms: Option<i64>,
    /// Of `limit_unanswered`: how many messages a person takes who has not answered yet; none when absent.
    pub limit: Option<i64>,
}

/// A fault that is in force.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// With what it is taken back.
    pub id: i64,
    /// As asked for.
    pub kind: String,
    /// The phone, if it is only one.
    pub number: Option<String>,
    /// How many times it will still happen.
    pub remaining: Option<i64>,
    /// How many times it has happened.
    pub struck: i64,
    /// When it ends.
    pub ends_at: Option<String>,
    /// As asked for.
    pub delay_ms: Option<i64>,
    /// As asked for.
    pub limit: Option<i64>,
}

const LASTING: [&str; 13] = [
    "refuse_connections",
    "client_outdated",
    "service_unavailable",
    "restrict",
    "duplicate",
    "delay",
    "reorder",
    "lose_ack",
    "corrupt",
    "limit_unanswered",
    "slow_phone",
    "never_online",
    "passkey",
];
const AT_ONCE: [&str; 5] = ["drop_connections", "log_out", "replace", "media_gone", "pre_keys_exhausted"];
/// These show at the next connect.
const AT_LOGIN: [&str; 4] = ["refuse_connections", "client_outdated", "service_unavailable", "restrict"];
/// These hold something back, for this long when nothing else is said.
const HELD_MS: i64 = 1_000;
const HOLDING: [&str; 2] = ["delay", "slow_phone"];

/// Does a fault, or puts it in force.
pub(crate) fn inject(turn: &mut Turn<'_>, network: i64, request: &FaultRequest) -> Result<(), Failure> {
    let phone = match &request.number {
        Some(number) => Some(phones::required(turn, network, &phones::digits(number)?)?),
        None => None,
    };
    if request.count.is_some_and(|count| !(1..=1_000_000).contains(&count)) {
        return Err(Refusal::field("/count", "1 to 1,000,000").into());
    }
    if request.for_s.is_some_and(|seconds| !(1..=limits::DELAY_MS / 1_000).contains(&seconds)) {
        return Err(Refusal::field("/for_s", "1 to 86,400 seconds").into());
    }
    let kind = request.kind.as_str();
    match request.delay_ms {
        Some(ms) if !(1..=limits::DELAY_MS).contains(&ms) => {
            return Err(Refusal::field("/delay_ms", "1 to 86,400,000 ms").into());
        },
        Some(_) if !HOLDING.contains(&kind) => {
            return Err(Refusal::field("/delay_ms", "only delay and slow_phone hold something back").into());
        },
        Some(_) | None => {},
    }
    if kind == "never_online" && phone.is_none() {
        return Err(Refusal::field("/number", "which phone is never online").into());
    }
    match request.limit {
        Some(_) if kind != "limit_unanswered" => {
            return Err(Refusal::field("/limit", "only limit_unanswered has a limit").into());
        },
        Some(limit) if !(0..=1_000_000).contains(&limit) => {
            return Err(Refusal::field("/limit", "0 to 1,000,000").into());
        },
        Some(_) | None => {},
    }
    if AT_ONCE.contains(&kind) {
        count(turn, network, kind)?;
        return at_once(turn, network, phone.map(|phone| phone.id), kind);
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
    let forever = kind == "never_online";
    let remaining =
        if request.for_s.is_none() && !forever { Some(request.count.unwrap_or(1)) } else { request.count };
    let delay_ms = HOLDING.contains(&kind).then(|| request.delay_ms.unwrap_or(HELD_MS));
    let until = request.for_s.map(|seconds| turn.now + seconds * 1_000);
    turn.db.run(
        "INSERT INTO fault (network, kind, phone, remaining, until_at, delay_ms, bound) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (network, kind, phone.as_ref().map(|phone| phone.id), remaining, until, delay_ms, request.limit),
    )?;
    if let (true, Some(until), Some(phone)) = (forever, until, &phone) {
        schedule::at(turn, phone, until - turn.now, &Action::CatchUp)?;
    }
    let phone = phone.map(|phone| phone.id);
    if AT_LOGIN.contains(&kind) {
        // Without this there might be no next connect.
        at_once(turn, network, phone, "drop_connections")?;
    }
    Ok(())
}

fn at_once(turn: &mut Turn<'_>, network: i64, phone: Option<i64>, kind: &str) -> Result<(), Failure> {
    if kind == "media_gone" {
        return media::lose(turn, network);
    }
    if kind == "pre_keys_exhausted" {
        turn.db.run(
            "DELETE FROM device_pre_key WHERE phone IN (SELECT id FROM phone WHERE network = ?1 AND (?2 IS NULL OR id = ?2))",
            (network, phone),
        )?;
        return Ok(());
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

/// For how many milliseconds a fault holds something of the phone back now, if it does; uses up one of its times.
pub(crate) fn holds(turn: &Turn<'_>, kind: &str, phone: i64) -> Result<Option<i64>, Failure> {
    let network = turn.db.number("SELECT network FROM phone WHERE id = ?", [phone])?;
    let Some(fault) = in_force(turn, network, Some(phone), kind)? else { return Ok(None) };
    use_up(turn, network, kind, &fault)?;
    Ok(fault.delay_ms)
}

/// Whether the phone is kept off the network. That lasts, so nothing is used up.
pub(crate) fn keeps_offline(turn: &Turn<'_>, phone: &phones::Phone) -> Result<bool, Failure> {
    let Some(fault) = in_force(turn, phone.network, Some(phone.id), "never_online")? else {
        return Ok(false);
    };
    turn.db.run("UPDATE fault SET struck = struck + 1 WHERE seq = ?", [fault.seq])?;
    count(turn, phone.network, "never_online")?;
    Ok(true)
}

/// Whether `sender` has written as much to `recipient`, who never answered, as the limit allows.
pub(crate) fn limits_unanswered(
    turn: &Turn<'_>,
    sender: &phones::Phone,
    recipient: i64,
) -> Result<bool, Failure> {
    let kind = "limit_unanswered";
    let Some(fault) = in_force(turn, sender.network, Some(sender.id), kind)? else { return Ok(false) };
    let between = "SELECT count(*) FROM ledger WHERE sender = ? AND recipient = ?";
    if turn.db.number(between, (recipient, sender.id))? > 0
        || turn.db.number(between, (sender.id, recipient))? < fault.bound.unwrap_or(0)
    {
        return Ok(false);
    }
    use_up(turn, sender.network, kind, &fault)?;
    Ok(true)
}

/// The same for a connection that has no phone yet. Gives when the fault ends, or now when it does not say.
pub(crate) fn strike(
    turn: &Turn<'_>,
    network: i64,
    phone: Option<i64>,
    kind: &str,
) -> Result<Option<i64>, Failure> {
    let Some(fault) = in_force(turn, network, phone, kind)? else { return Ok(None) };
    use_up(turn, network, kind, &fault)?;
    Ok(Some(fault.until.unwrap_or(turn.now)))
}

/// A row of a fault that is in force.
struct InForce {
    seq: i64,
    remaining: Option<i64>,
    until: Option<i64>,
    delay_ms: Option<i64>,
    bound: Option<i64>,
}

fn in_force(
    turn: &Turn<'_>,
    network: i64,
    phone: Option<i64>,
    kind: &str,
) -> Result<Option<InForce>, Failure> {
    Ok(turn.db.one(
        "SELECT seq, remaining, until_at, delay_ms, bound FROM fault WHERE network = ? AND kind = ? AND (phone IS NULL OR phone = ?) AND (until_at IS NULL OR until_at > ?) ORDER BY seq LIMIT 1",
        (network, kind, phone, turn.now),
        |row| {
            Ok(InForce {
                seq: row.get(0)?,
                remaining: row.get(1)?,
                until: row.get(2)?,
                delay_ms: row.get(3)?,
                bound: row.get(4)?,
            })
        },
    )?)
}

fn use_up(turn: &Turn<'_>, network: i64, kind: &str, fault: &InForce) -> Result<(), Failure> {
    match fault.remaining {
        Some(..=1) => turn.db.run("DELETE FROM fault WHERE seq = ?", [fault.seq])?,
        Some(_) | None => turn.db.run(
            "UPDATE fault SET remaining = remaining - 1, struck = struck + 1 WHERE seq = ?",
            [fault.seq],
        )?,
    };
    count(turn, network, kind)
}

/// Faults that are over are counted as well.
fn count(turn: &Turn<'_>, network: i64, kind: &str) -> Result<(), Failure> {
    turn.db.run(
        "INSERT INTO fault_count (network, kind, times) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET times = times + 1",
        (network, kind),
    )?;
    Ok(())
}

/// How often each kind has happened in the network's life.
pub(crate) fn counts(turn: &Turn<'_>, network: i64) -> Result<BTreeMap<String, i64>, Failure> {
    let sql = "SELECT kind, times FROM fault_count WHERE network = ?";
    Ok(turn.db.all(sql, [network], |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect())
}

/// Damages what was encrypted for the phone or one of its companions, when the fault `corrupt` strikes: the device
/// must ask for it again. Content that goes between devices of one account by itself is left alone.
pub(crate) fn corrupted(turn: &Turn<'_>, phone: i64, mut stanza: Node) -> Result<Node, Failure> {
    let peer = stanza.attrs.get("category").is_some_and(|category| category == "peer");
    if peer || !applies(turn, "corrupt", phone)? {
        return Ok(stanza);
    }
    if let Some(NodeContent::Nodes(children)) = &mut stanza.content {
        let kind = |child: &Node| child.attrs.get("type").map(|kind| kind.as_str().into_owned());
        // In a group the key for the content may come along; it stays whole.
        let in_group = children.iter().any(|child| kind(child).as_deref() == Some("skmsg"));
        for child in children.iter_mut().filter(|child| child.tag == "enc") {
            let kind = kind(child).unwrap_or_default();
            if in_group && kind != "skmsg" {
                continue;
            }
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
    Ok(turn.db.all("SELECT kind, (SELECT '+' || number FROM phone WHERE phone.id = fault.phone), remaining, until_at, seq, struck, delay_ms, bound FROM fault WHERE network = ? ORDER BY seq", [network], |row| {
        Ok(Fault { kind: row.get(0)?, number: row.get(1)?, remaining: row.get(2)?, ends_at: row.get::<_, Option<i64>>(3)?.map(rfc3339), id: row.get(4)?, struck: row.get(5)?, delay_ms: row.get(6)?, limit: row.get(7)? })
    })?)
}

/// Ends all faults, or the one of this id; `false` when there is none. Phones that were kept offline catch up.
pub(crate) fn clear(turn: &mut Turn<'_>, network: i64, id: Option<i64>) -> Result<bool, Failure> {
    let ended =
        turn.db.run("DELETE FROM fault WHERE network = ?1 AND (?2 IS NULL OR seq = ?2)", (network, id))?;
    let waiting = turn.db.all(
        "SELECT DISTINCT queue.phone FROM queue JOIN phone ON phone.id = queue.phone WHERE queue.device = 0 AND phone.network = ? AND phone.online = 1 ORDER BY queue.phone",
        [network],
        |row| row.get::<_, i64>(0),
    )?;
    for phone in waiting {
        if let Some(phone) = phones::by_id(turn, phone)? {
            incoming::catch_up(turn, &phone)?;
        }
    }
    Ok(ended > 0)
}
