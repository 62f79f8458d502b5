//! Media: encrypted files that clients upload and download over HTTP, as from WhatsApp's content network.
//!
//! A file is found by an unguessable path, which is in the message that names it. Clients make `https` addresses
//! from the host that `media_conn` gives, which is the one by which they reached us; who tests without TLS
//! maps them to `http`.

mod http;
mod message;
mod receive;
mod reupload;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use sha2::Sha256;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::error::Failure;
use crate::limits;
use crate::live::ConnectionId;
use crate::store::Query;
use crate::turn::Turn;

pub(crate) use http::routes;
pub use message::{Kind, NewMedia};
pub(crate) use message::{compose, seal};
pub use receive::MediaInfo;
pub(crate) use receive::{Reference, receive};
pub(crate) use reupload::asked as reupload_asked;

/// How long a permission to upload is valid.
const AUTH_MS: i64 = 6 * 3_600_000;
/// The host when a client did not say by which name it reached us.
const NO_HOST: &str = "media.sandbox.invalid";

/// `<media_conn>`: where to upload and download, and the permission.
pub(crate) fn connection(turn: &Turn<'_>, connection: ConnectionId, network: i64) -> Result<Node, Failure> {
    let host = host(turn, connection);
    let host = NodeBuilder::new("host").attr("hostname", host).attr("type", "primary").build();
    Ok(NodeBuilder::new("media_conn")
        .attr("auth", permission(turn, network, turn.now + AUTH_MS)?)
        .attr("ttl", "300")
        .attr("auth_ttl", (AUTH_MS / 1_000).to_string())
        .attr("max_buckets", "12")
        .children([host])
        .build())
}

/// The name by which the client reached us: it can fetch files there, too.
pub(crate) fn host(turn: &Turn<'_>, connection: ConnectionId) -> String {
    let socket = turn.live.sockets.get(&connection);
    let named = socket.map(|socket| socket.host.as_str()).filter(|host| !host.is_empty());
    named.unwrap_or(NO_HOST).to_owned()
}

/// Names network and end; the network's seed makes it unforgeable, so that nothing need be stored.
fn permission(turn: &Turn<'_>, network: i64, until: i64) -> Result<String, Failure> {
    let seed: Vec<u8> = turn
        .db
        .one("SELECT seed FROM network WHERE id = ?", [network], |row| row.get(0))?
        .ok_or_else(|| Failure::protocol("no such network"))?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&seed).map_err(Failure::protocol)?;
    mac.update(format!("media {network} {until}").as_bytes());
    Ok(format!("{network}.{until}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}

/// The network that the permission is for; `None` when it is over or forged.
fn permitted(turn: &Turn<'_>, auth: &str) -> Result<Option<i64>, Failure> {
    let mut parts = auth.splitn(3, '.');
    let (Some(Ok(network)), Some(Ok(until))) =
        (parts.next().map(str::parse::<i64>), parts.next().map(str::parse::<i64>))
    else {
        return Ok(None);
    };
    if until <= turn.now || turn.db.number("SELECT count(*) FROM network WHERE id = ?", [network])? == 0 {
        return Ok(None);
    }
    Ok((permission(turn, network, until)? == auth).then_some(network))
}

/// Where the file can be fetched.
fn path(name: &str) -> String {
    format!("/o1/v/{name}")
}

/// Stores a file, gives its path. The oldest go when the network's files are too many bytes.
fn store(turn: &mut Turn<'_>, network: i64, hash: &[u8], bytes: &[u8]) -> Result<String, Failure> {
    let same = turn.db.one(
        "SELECT name FROM media WHERE network = ? AND hash = ? AND gone = 0 AND expires_at > ?",
        (network, hash, turn.now),
        |row| row.get::<_, String>(0),
    )?;
    if let Some(name) = same {
        return Ok(path(&name));
    }
    let size = i64::try_from(bytes.len()).map_err(Failure::protocol)?;
    let random: [u8; 18] = turn.generator(network)?.random();
    let name = URL_SAFE_NO_PAD.encode(random);
    turn.db.run(
        "INSERT INTO media (network, name, hash, size, bytes, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
        (network, &name, hash, size, bytes, turn.now + limits::MEDIA_KEPT_MS),
    )?;
    while turn.db.number("SELECT sum(size) FROM media WHERE network = ?", [network])?
        > limits::MEDIA_TOTAL_BYTES
    {
        turn.db
            .run("DELETE FROM media WHERE id = (SELECT min(id) FROM media WHERE network = ?)", [network])?;
    }
    Ok(path(&name))
}

/// What became of a file.
enum Found {
    Bytes {
        hash: Vec<u8>,
        bytes: Vec<u8>,
    },
    /// It was here.
    Gone,
    Never,
}

fn find(turn: &Turn<'_>, name: &str) -> Result<Found, Failure> {
    let found = turn.db.one(
        "SELECT hash, bytes, gone = 0 AND expires_at > ? FROM media WHERE name = ?",
        (turn.now, name),
        |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, bool>(2)?)),
    )?;
    Ok(match found {
        Some((hash, bytes, true)) => Found::Bytes { hash, bytes },
        Some((_, _, false)) => Found::Gone,
        None => Found::Never,
    })
}

/// All files of the network that are there now can no longer be fetched.
pub(crate) fn lose(turn: &Turn<'_>, network: i64) -> Result<(), Failure> {
    turn.db.run("UPDATE media SET gone = 1 WHERE network = ?", [network])?;
    Ok(())
}
