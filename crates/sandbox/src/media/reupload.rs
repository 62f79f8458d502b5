//! `<receipt type=server-error>`: a client could not fetch a file any more, and asks its own phone to upload it
//! again. The phone answers with `<notification type=mediaretry>`, under a key derived from the file's.

use buffa::Message as _;
use rand::RngExt;
use wacore::crypto::hkdf_sha256_into;
use wacore::media_retry::decrypt_media_retry_notification;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use wacore_libsignal::crypto::aes_256_gcm_encrypt;
use waproto::whatsapp as wa;
use waproto::whatsapp::media_retry_notification::ResultType;

use super::receive::Reference;
use super::store;
use crate::deliver;
use crate::error::Failure;
use crate::live::Address;
use crate::phones::{Form, Phone};
use crate::stanza::{self, Read};
use crate::store::Query;
use crate::turn::Turn;

const RETRY_KEY: &[u8] = b"WhatsApp Media Retry Notification";
/// Codes of `<error>`: no such message, and a request that cannot be opened.
const NOT_FOUND: &str = "2";
const UNREADABLE: &str = "3";

/// A companion of the phone asks for the file of a message.
pub(crate) fn asked(
    turn: &mut Turn<'_>,
    phone: &Phone,
    from: Address,
    id: &str,
    node: &Node,
) -> Result<(), Failure> {
    let answer = match file(turn, phone.id, id)? {
        None => error(NOT_FOUND),
        Some(file) if !is_real(&file, id, node) => error(UNREADABLE),
        Some(file) => again(turn, phone, id, &file)?,
    };
    let mut children = vec![answer];
    // Some clients find their message by what they said about it.
    children.extend(node.child("rmr").cloned());
    let notification = NodeBuilder::new("notification")
        .attr("from", phone.jid(Form::Pn))
        .attr("type", "mediaretry")
        .attr("id", id)
        .attr("t", stanza::seconds(turn.now))
        .children(children)
        .build();
    deliver::to_companion(turn, from, notification)
}

/// The file of a message that the phone got, or sent.
fn file(turn: &Turn<'_>, phone: i64, id: &str) -> Result<Option<Reference>, Failure> {
    let received = turn.db.one(
        "SELECT media FROM inbox WHERE phone = ? AND whatsapp_id = ? AND media IS NOT NULL",
        (phone, id),
        |row| row.get::<_, String>(0),
    )?;
    if let Some(received) = received {
        return serde_json::from_str(&received).map(Some).map_err(Failure::protocol);
    }
    let sent =
        turn.db.one("SELECT content FROM sent WHERE phone = ? AND whatsapp_id = ?", (phone, id), |row| {
            row.get::<_, Vec<u8>>(0)
        })?;
    let Some(sent) = sent else { return Ok(None) };
    Ok(Reference::of(&wa::Message::decode_from_slice(&sent).map_err(Failure::protocol)?))
}

/// Only who knows the file's key may ask for it.
fn is_real(file: &Reference, id: &str, node: &Node) -> bool {
    let Some(encrypt) = node.child("encrypt") else { return false };
    let (Some(sealed), Some(iv)) = (encrypt.child_bytes("enc_p"), encrypt.child_bytes("enc_iv")) else {
        return false;
    };
    decrypt_media_retry_notification(&file.key, id, iv, sealed)
        .ok()
        .and_then(|plain| wa::ServerErrorReceipt::decode_from_slice(&plain).ok())
        .is_some_and(|receipt| receipt.stanza_id.as_deref() == Some(id))
}

/// Uploads the phone's copy: what the network once had is what the phone keeps.
fn again(turn: &mut Turn<'_>, phone: &Phone, id: &str, file: &Reference) -> Result<Node, Failure> {
    let copy = turn.db.one(
        "SELECT bytes FROM media WHERE network = ? AND hash = ? ORDER BY id DESC LIMIT 1",
        (phone.network, &file.sealed_hash),
        |row| row.get::<_, Vec<u8>>(0),
    )?;
    let Some(copy) = copy else { return Ok(error(NOT_FOUND)) };
    let direct_path = store(turn, phone.network, &file.sealed_hash, &copy)?;
    let plain = wa::MediaRetryNotification {
        stanza_id: Some(id.to_owned()),
        direct_path: Some(direct_path),
        result: Some(ResultType::SUCCESS),
        ..Default::default()
    }
    .encode_to_vec();
    let mut key = [0; 32];
    hkdf_sha256_into(&file.key, None, RETRY_KEY, &mut key).map_err(Failure::protocol)?;
    let iv: [u8; 12] = turn.generator(phone.network)?.random();
    let mut sealed = Vec::with_capacity(plain.len() + 16);
    aes_256_gcm_encrypt(&key, &iv, id.as_bytes(), &plain, &mut sealed).map_err(Failure::protocol)?;
    Ok(NodeBuilder::new("encrypt")
        .children([
            NodeBuilder::new("enc_p").bytes(sealed).build(),
            NodeBuilder::new("enc_iv").bytes(iv.to_vec()).build(),
        ])
        .build())
}

fn error(code: &'static str) -> Node {
    NodeBuilder::new("error").attr("code", code).build()
}
